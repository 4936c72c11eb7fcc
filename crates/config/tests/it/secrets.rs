//! Nothing prints a secret.

use std::time::Duration;

use underpin_config::{ByteSize, Config, Env, Rules, Secret, Url, Value};

#[derive(Debug, Config)]
#[config(prefix = "APP_")]
struct Settings {
    token: Secret<String>,
    pin: Secret<u32>,
    url: Url,
    #[config(default = 3000)]
    port: u16,
    #[config(from_str, expects = "a number", alias = "APP_OLD_KEY")]
    key: Option<u64>,
}

fn everything_printed(env: Env) -> String {
    let env_debug = format!("{env:?}");
    match Settings::load_from(env) {
        Ok(loaded) => format!("{env_debug} {loaded:?} {loaded:#?}"),
        Err(problems) => {
            format!("{env_debug} {problems} {problems:?} {problems:#?} {}", problems.to_json())
        }
    }
}

#[test]
fn valid_secrets_do_not_print_and_can_be_exposed() {
    let env = Env::from([
        ("APP_TOKEN", "hunter2"),
        ("APP_PIN", "4711"),
        ("APP_URL", "http://u:hunter2@h/?k=hunter2"),
    ]);
    let settings = Settings::load_from(env.clone()).unwrap().value;
    assert_eq!((settings.token.expose().as_str(), *settings.pin.expose()), ("hunter2", 4711));
    assert_eq!(settings.url.as_str(), "http://u:hunter2@h/?k=hunter2");
    assert_eq!((settings.port, settings.key), (3000, None));
    assert_eq!(settings.pin.into_exposed(), 4711);
    let printed = everything_printed(env);
    assert!(!printed.contains("hunter2") && !printed.contains("4711"), "{printed}");
    assert!(printed.contains("Secret(***)"));
}

#[test]
fn broken_secrets_are_not_quoted() {
    for (name, value) in [
        ("APP_PIN", "hunter2"),
        ("APP_URL", "hunter2"),
        ("APP_URL", "postgres://u:hunter2/x@h:99999"),
        ("APP_URL", "hunter2:x@y"),
        ("APP_KEY", "hunter2"),
        ("APP_OLD_KEY", "hunter2"),
        ("APP_TOKEN_FILE", "hunter2"),
        ("APP_UNKNOWN", "hunter2"),
    ] {
        let printed = everything_printed(Env::from([(name, value)]));
        assert!(printed.contains(name), "{printed}");
        assert!(!printed.contains("hunter2"), "{name}={value}: {printed}");
    }
}

#[test]
fn a_secret_in_the_wrong_variable_is_not_quoted_either() {
    for pairs in [
        [("APP_TOKEN", "hunter2"), ("APP_PORT", "hunter2")],
        [("APP_TOKEN", "hunter2"), ("APP_PORT", "x-hunter2-x")],
        [("APP_URL", "redis://:hunter2@cache"), ("APP_PORT", "hunter2")],
        [("APP_URL", "redis://:hunter2@cache"), ("APP_PORT", "x-hunter2-x")],
        [("APP_URL", "https://hunter2@host"), ("APP_PORT", "x-hunter2-x")],
        [("APP_URL", "http://host/?token=hunter2"), ("APP_PORT", "x-hunter2-x")],
        [("APP_PIN", "1"), ("APP_PORT", "redis://:hunter2@cache")],
        [("APP_TOKEN", "a-hunter2hunter2"), ("APP_PORT", "hunter2hunter2-b")],
        [("APP_TOKEN", "hunter2"), ("APP_PORT_FILE", "/run/hunter2")],
        [("APP_PIN", "hunter2"), ("APP_PORT", "hunter2")],
        [("APP_OLD_KEY", "hunter2"), ("APP_PORT", "hunter2")],
    ] {
        let printed = everything_printed(Env::from(pairs));
        assert!(!printed.contains("hunter2"), "{pairs:?}: {printed}");
    }
    // Two assignments that ran into each other.
    for value in ["1 APP_TOKEN=hunter2", "1\rAPP_TOKEN hunter2"] {
        let printed = everything_printed(Env::from([("APP_PORT", value)]));
        assert!(!printed.contains("hunter2"), "{printed}");
    }
    // With white space around it in one place, or its name misspelt.
    for name in ["APP_TOKEN", "APP_TOKNE"] {
        let printed =
            everything_printed(Env::from([(name, " hunter2\n"), ("APP_PORT", "hunter2")]));
        assert!(!printed.contains("hunter2"), "{printed}");
    }
    // Set twice, so never read: a secret all the same.
    let printed = everything_printed(Env::from([
        ("APP_TOKEN", "hunter2"),
        ("APP_TOKEN", "x"),
        ("APP_PORT", "hunter2"),
    ]));
    assert!(!printed.contains("hunter2"), "{printed}");
}

#[test]
fn values_that_are_no_secret_are_still_quoted() {
    let printed = everything_printed(Env::from([("APP_TOKEN", "hunter2"), ("APP_PORT", "80x")]));
    assert!(printed.contains("is \"80x\", which is not a whole number"), "{printed}");
}

#[test]
fn a_secrets_own_parser_quotes_nothing() {
    for text in ["5hunter2", "5 hunter2"] {
        let invalid = Secret::<Duration>::parse(text, &Rules::NONE).unwrap_err();
        assert!(!format!("{invalid:?}").contains("hunter2"), "{invalid:?}");
    }
    let invalid = <Vec<Secret<ByteSize>>>::parse("1MB,5hunter2", &Rules::NONE).unwrap_err();
    assert!(!format!("{invalid:?}").contains("hunter2"), "{invalid:?}");
}

#[test]
fn a_secret_that_was_not_used_is_a_secret_all_the_same() {
    #[derive(Debug, Config)]
    #[config(profile = "PROFILE")]
    #[expect(dead_code, reason = "read by the derive, looked at by nobody")]
    struct Both {
        token: Secret<String>,
        port: u16,
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let dotenv = dir.path().join(".env");
    // In a file that conflicts with the variable; in a file that is not UTF-8; in `.env`, behind the environment.
    for (content, pairs) in [
        (&b"hunter2"[..], vec![("TOKEN", "x"), ("TOKEN_FILE", file.to_str().unwrap())]),
        (&b"hunter2\xff"[..], vec![("TOKEN_FILE", file.to_str().unwrap())]),
        (&b""[..], vec![("TOKEN", "x")]),
    ] {
        std::fs::write(&file, content).unwrap();
        std::fs::write(&dotenv, "TOKEN=hunter2\n").unwrap();
        let mut env: Env = pairs.iter().copied().chain([("PORT", "hunter2")]).collect();
        if content.is_empty() {
            env = env.with_dotenv(&dotenv);
        }
        let problems = Both::load_from(env).unwrap_err();
        let printed = format!("{problems} {problems:?}");
        assert!(printed.contains("is not a whole number"), "{printed}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}
