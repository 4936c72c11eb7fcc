//! Documents made from the same struct.

use std::{env, fs, path::Path, time::Duration};

use underpin_config::{Config, Env, Secret, Url, Value};

/// The order service.
///
/// Configured by its environment.
#[derive(Debug, Config)]
#[config(prefix = "ORDERS_", profile = "APP_ENV")]
#[expect(dead_code, reason = "read by the derive, looked at by nobody")]
struct Settings {
    /// Where to listen | bind.
    #[config(default = 3000, range = 1024..=65535)]
    port: u16,
    #[config(schemes = ["postgres"])]
    database_url: Secret<Url>,
    #[config(default = "it's $5", alias = "ORDERS_SLOGAN")]
    motto: String,
    #[config(default = "30s")]
    timeout: Duration,
    #[config(default = "info")]
    level: Level,
    #[config(example = "https://collector:4318")]
    endpoint: Option<Url>,
    #[config(nested)]
    redis: Option<Redis>,
}

#[derive(Debug, Value)]
enum Level {
    Info,
    Warn,
}

#[derive(Debug, Config)]
#[expect(dead_code, reason = "read by the derive, looked at by nobody")]
struct Redis {
    url: String,
    #[config(default = 4)]
    pool: u8,
}

/// Compares with a committed file; `BLESS=1` rewrites it instead.
fn golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/generated").join(name);
    if env::var_os("BLESS").is_some() {
        fs::write(&path, actual).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        actual,
        "run again with BLESS=1 if the change is meant"
    );
}

#[test]
fn env_example_describes_every_variable() {
    golden("env.example", &Settings::SPEC.env_example());
}

#[test]
fn env_example_filled_in_loads_and_means_the_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(".env");
    let uncommented: String = Settings::SPEC
        .env_example()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(assignment) if assignment.starts_with("ORDERS_") && !assignment.ends_with('=') => {
                format!("{assignment}\n")
            }
            _ if line.starts_with("ORDERS_DATABASE_URL=") => {
                format!("{line}postgres://db/orders\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    fs::write(&path, &uncommented).unwrap();
    let env = Env::from([("ORDERS_REDIS_URL", "redis")]).with_dotenv(&path);
    let settings = Settings::load_from(env)
        .unwrap_or_else(|problems| panic!("{uncommented}\n{problems}"))
        .value;
    assert_eq!(
        (settings.port, settings.motto.as_str(), settings.timeout),
        (3000, "it's $5", Duration::from_secs(30))
    );
    assert_eq!(settings.redis.map(|redis| redis.pool), Some(4));
}

#[test]
fn markdown_has_a_row_a_variable() {
    golden("table.md", &Settings::SPEC.markdown());
}

#[test]
fn json_schema_is_json_and_knows_every_variable() {
    let schema = Settings::SPEC.json_schema();
    golden("schema.json", &schema);
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(schema["properties"]["ORDERS_PORT"]["minimum"], 1024);
}

#[test]
fn hard_texts_survive_the_env_example() {
    #[derive(Debug, Config)]
    #[config(profile = "PROFILE")]
    struct Hard {
        #[config(default = "two\nlines")]
        lines: String,
        #[config(default = "it's `id` $HOME \\ \"x\"")]
        quotes: String,
        #[config(default = "")]
        empty: String,
    }
    let example = Hard::SPEC.env_example();
    let uncommented: String = example
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(assignment) if assignment.contains('=') => format!("{assignment}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(".env");
    fs::write(&path, &uncommented).unwrap();
    let hard = Hard::load_from(Env::default().with_dotenv(path)).unwrap().value;
    assert_eq!(hard.lines, "two\nlines");
    assert_eq!(hard.quotes, "it's `id` $HOME \\ \"x\"");
    assert_eq!(hard.empty, "");
}
