//! `.env`, in development only.

use std::{fs, path::PathBuf};

use tempfile::TempDir;
use underpin_config::{Config, Env, Secret, Source};

use super::lines;

#[derive(Debug, Config)]
#[config(prefix = "APP_", profile = "APP_ENV")]
struct Settings {
    #[config(default = "development")]
    env: String,
    #[config(default = "default")]
    name: String,
    token: Option<Secret<String>>,
}

#[derive(Debug, Config)]
struct WithoutProfile {
    #[config(default = "default", var = "APP_NAME")]
    name: String,
}

fn dotenv(content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(".env");
    fs::write(&path, content).unwrap();
    (dir, path)
}

#[test]
fn fills_in_what_the_environment_does_not_set() {
    let (_dir, path) = dotenv("APP_NAME=file\nAPP_TOKEN='t'\n");
    for env in [
        Env::default(),
        Env::from([("APP_ENV", "development")]),
        Env::from([("APP_ENV", "Development")]),
    ] {
        let loaded = Settings::load_from(env.with_dotenv(&path)).unwrap();
        assert_eq!(loaded.value.name, "file");
        assert!(loaded.sources.contains(&("APP_NAME".to_owned(), Source::Dotenv(1))));
        assert_eq!(loaded.value.token.unwrap().expose(), "t");
    }
    let loaded = Settings::load_from(Env::from([("APP_NAME", "real")]).with_dotenv(&path)).unwrap();
    assert_eq!(loaded.value.name, "real");
}

#[test]
fn is_not_read_outside_development() {
    let (_dir, path) = dotenv("APP_NAME=file\n");
    for profile in ["production", "staging", "prod", ""] {
        let result = Settings::load_from(Env::from([("APP_ENV", profile)]).with_dotenv(&path));
        assert!(result.is_err() || result.unwrap().value.name == "default", "{profile}");
    }
    let production =
        Settings::load_from(Env::from([("APP_ENV", "production")]).with_dotenv(&path)).unwrap();
    assert_eq!(
        (production.value.env.as_str(), production.value.name.as_str()),
        ("production", "default")
    );
    assert_eq!(
        WithoutProfile::load_from(Env::default().with_dotenv(&path)).unwrap().value.name,
        "default"
    );
}

#[test]
fn may_be_absent() {
    let (_dir, path) = dotenv("");
    let settings =
        Settings::load_from(Env::default().with_dotenv(path.with_file_name("none"))).unwrap().value;
    assert_eq!(settings.name, "default");
}

#[test]
fn cannot_move_the_profile() {
    let (_dir, path) = dotenv("\nAPP_ENV=production\n");
    assert_eq!(
        lines(Settings::load_from(Env::default().with_dotenv(&path))),
        [format!(
            "{} line 2 sets APP_ENV, which decides whether this file is read: set it in the environment",
            path.display()
        )]
    );
    let (_dir, path) = dotenv("APP_ENV=development\n");
    assert!(Settings::load_from(Env::default().with_dotenv(&path)).is_ok());
}

#[test]
fn mistakes_in_it_join_the_report() {
    let (_dir, path) = dotenv(
        "what is this hunter2\nAPP_NAEM=hunter2\nAPP_NAME=a\nAPP_NAME=hunter2\nAPP_TOKEN=\"hunter2\n",
    );
    let problems = lines(Settings::load_from(Env::default().with_dotenv(&path)));
    let file = path.display();
    let form = "expected NAME=value, NAME='value' or NAME=\"value\"";
    assert_eq!(
        problems,
        [
            format!("{file} line 1 has no = after the name: {form}"),
            format!("{file} line 4 sets the same variable as line 3: {form}"),
            format!("{file} line 5 has a double quote that is never closed: {form}"),
            format!(
                "{file} line 2 sets a variable that is not one of this service: did you mean APP_NAME?"
            ),
        ]
    );
}

#[test]
fn unreadable_ones_are_a_problem() {
    let (dir, path) = dotenv(b"APP_NAME=\xff");
    assert_eq!(
        lines(Settings::load_from(Env::default().with_dotenv(&path))),
        [format!("{} is not UTF-8: mend it, or remove it", path.display())]
    );
    assert_eq!(lines(Settings::load_from(Env::default().with_dotenv(dir.path()))).len(), 1);
}

#[test]
fn the_environment_goes_first_even_where_the_form_differs() {
    let (dir, path) = dotenv("APP_NAME=dotenv\n");
    let file = dir.path().join("name");
    fs::write(&file, "file").unwrap();
    let env = Env::from([("APP_NAME_FILE", &file)]).with_dotenv(&path);
    assert_eq!(Settings::load_from(env).unwrap().value.name, "file");

    let (_dir, path) = dotenv(format!("APP_NAME_FILE={}\n", file.display()));
    let env = Env::from([("APP_NAME", "real")]).with_dotenv(&path);
    assert_eq!(Settings::load_from(env).unwrap().value.name, "real");
}

#[test]
fn a_bad_value_in_it_is_reported_with_its_line() {
    #[derive(Debug, Config)]
    #[config(profile = "APP_ENV")]
    #[expect(dead_code, reason = "read by the derive, looked at by nobody")]
    struct Port {
        port: u16,
    }
    let (_dir, path) = dotenv("\nPORT=x\n");
    assert_eq!(
        lines(Port::load_from(Env::default().with_dotenv(path))),
        ["PORT is \"x\", which is not a whole number (line 2 of the .env file): \
          expected a whole number from 0 to 65535"]
    );
}

#[test]
fn the_profile_may_have_the_prefix_and_be_no_field() {
    #[derive(Debug, Config)]
    #[config(prefix = "APP_", profile = "APP_ENV")]
    #[expect(dead_code, reason = "read by the derive, looked at by nobody")]
    struct Settings {
        name: String,
    }
    let env = Env::from([("APP_ENV", "production"), ("APP_NAME", "a")]);
    assert_eq!(lines(Settings::load_from(env)), Vec::<String>::new());
}

#[test]
fn a_large_one_is_read_in_no_time() {
    let content: Vec<String> = (0..60_000).map(|n| format!("OTHER_{n}=1")).collect();
    let (_dir, path) = dotenv(content.join("\n") + "\nAPP_NAME=found\n");
    let begun = std::time::Instant::now();
    let settings = Settings::load_from(Env::default().with_dotenv(path)).unwrap().value;
    assert_eq!(settings.name, "found");
    // A quadratic reader takes minutes; the bound is far from both.
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
}
