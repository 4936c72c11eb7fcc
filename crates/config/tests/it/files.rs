//! `NAME_FILE`.

use std::{fs, path::Path};

use underpin_config::{Config, Env, Secret, Source};

use super::lines;

#[derive(Debug, Config)]
struct Settings {
    password: Secret<String>,
    #[config(default = "log")]
    log: String,
    /// The name that `LOG` would look for its file under.
    log_file: Option<String>,
}

fn load_password(path: &Path) -> Result<String, Vec<String>> {
    let env = Env::from([("PASSWORD_FILE", path)]);
    match Settings::load_from(env) {
        Ok(loaded) => Ok(loaded.value.password.into_exposed()),
        Err(problems) => Err(lines::<()>(Err(problems))),
    }
}

#[test]
fn exactly_one_line_break_at_the_end_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    for (content, value) in [
        ("hunter2", "hunter2"),
        ("hunter2\n", "hunter2"),
        ("hunter2\r\n", "hunter2"),
        ("hunter2\n\n", "hunter2\n"),
        ("hunter2\n\r\n", "hunter2\n"),
        (" a\nb ", " a\nb "),
        ("a\r", "a\r"),
    ] {
        fs::write(&path, content).unwrap();
        assert_eq!(load_password(&path).as_deref(), Ok(value), "{content:?}");
    }
}

#[test]
fn what_cannot_be_used_is_said_without_showing_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    for (path, why) in [
        (dir.path().join("nothing"), "names a file that does not exist"),
        (dir.path().to_owned(), "names a file that is a directory"),
        (file("latin1", b"hunter2\xff"), "names a file that is not UTF-8"),
        (file("big", &vec![b'x'; (1 << 20) + 1]), "names a file that is larger than 1 MiB"),
    ] {
        let problem = format!("PASSWORD_FILE {why}: expected the path of a file with text");
        assert_eq!(load_password(&path), Err(vec![problem]));
    }
    assert_eq!(
        load_password(&file("empty", b"\n")),
        Err(vec!["PASSWORD_FILE names a file that is empty: expected text".to_owned()])
    );
    assert_eq!(
        load_password(&file("limit", &vec![b'x'; 1 << 20])).map(|text| text.len()),
        Ok(1 << 20)
    );
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_rather_than_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    let made = std::process::Command::new("mkfifo")
        .arg(&fifo)
        .status()
        .expect("mkfifo is part of every Unix");
    assert!(made.success());
    assert_eq!(
        load_password(&fifo),
        Err(vec![
            "PASSWORD_FILE names a file that is not a regular file: expected the path of a file with text".to_owned()
        ])
    );
    assert!(load_password(Path::new("/dev/zero")).is_err());
}

#[test]
fn both_forms_at_once_are_a_problem() {
    let env = Env::from([("PASSWORD", "a"), ("PASSWORD_FILE", "/x")]);
    assert_eq!(
        lines(Settings::load_from(env)),
        ["PASSWORD is set, and so is PASSWORD_FILE: unset one of them: expected text"]
    );
}

#[test]
fn a_field_of_that_name_is_a_field() {
    let env = Env::from([("PASSWORD", "a"), ("LOG_FILE", "/var/log/x")]);
    let settings = Settings::load_from(env).unwrap().value;
    assert_eq!((settings.log.as_str(), settings.log_file.as_deref()), ("log", Some("/var/log/x")));
}

#[test]
fn the_source_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    fs::write(&path, "hunter2").unwrap();
    let loaded = Settings::load_from(Env::from([("PASSWORD_FILE", &path)])).unwrap();
    assert_eq!(loaded.sources[0], ("PASSWORD".to_owned(), Source::File(path)));
}

#[test]
fn what_a_file_holds_is_never_quoted() {
    #[derive(Debug, Config)]
    #[expect(dead_code, reason = "read by the derive, looked at by nobody")]
    struct Port {
        port: u16,
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("somebody_elses_password");
    fs::write(&path, "hunter2").unwrap();
    assert_eq!(
        lines(Port::load_from(Env::from([("PORT_FILE", &path)]))),
        [
            "PORT_FILE names a file whose text is not a whole number: expected a whole number from 0 to 65535"
        ]
    );
}
