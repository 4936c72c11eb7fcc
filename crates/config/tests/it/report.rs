//! Every mistake in one report.

use std::time::Duration;

use underpin_config::{Config, Env, Secret, Url, Value};

use super::{lines, load, problems};

#[derive(Debug, Config)]
#[config(prefix = "APP_")]
#[expect(dead_code, reason = "read by the derive, looked at by nobody")]
struct Settings {
    #[config(range = 1024..=65535)]
    port: u16,
    #[config(schemes = ["postgres", "postgresql"])]
    database_url: Secret<Url>,
    #[config(default = "30s", range = "100ms"..="5m")]
    timeout: Duration,
    #[config(default = "info")]
    level: Level,
    name: Option<String>,
    workers: usize,
}

#[derive(Debug, Value)]
enum Level {
    Debug,
    Info,
    Warn,
}

#[test]
fn lists_every_problem_in_the_order_of_declaration() {
    let problems = problems::<Settings>(&[
        ("APP_PORT", "80"),
        ("APP_DATABASE_URL", "mysql://db/orders"),
        ("APP_TIMEOUT", "30x"),
        ("APP_LEVEL", "inof"),
        ("APP_NAME", ""),
        ("APP_NAEM", "x"),
    ]);
    assert_eq!(
        problems,
        [
            r#"APP_PORT is "80", which is too small: expected a whole number from 1024 to 65535"#,
            "APP_DATABASE_URL has a scheme that is not allowed here: expected a URL with the scheme postgres or postgresql",
            r#"APP_TIMEOUT is "30x", which has the unknown unit "x": use ms, s, m, h or d: expected a duration such as 250ms, 30s or 1h30m, from 100ms to 5m"#,
            r#"APP_LEVEL is "inof", which is none of the names: did you mean info?: expected one of debug, info, warn"#,
            "APP_NAME is empty: unset it to leave it out: expected text",
            "APP_WORKERS is missing: expected a whole number from 0",
            "APP_NAEM is not a variable of this service: did you mean APP_NAME?",
        ]
    );
}

#[test]
fn table_puts_reason_and_expectation_under_each_other() {
    let report =
        load::<Settings>(&[("APP_PORT", "80"), ("APP_DATABASE_URL", "postgres://db/orders")])
            .unwrap_err();
    assert_eq!(
        report.to_string(),
        "invalid configuration: 2 problems\n\
         \n\
         \x20 APP_PORT     is \"80\", which is too small\n\
         \x20              expected a whole number from 1024 to 65535\n\
         \x20 APP_WORKERS  is missing\n\
         \x20              expected a whole number from 0"
    );
}

#[test]
fn json_is_one_line_with_the_same_facts() {
    let report = load::<Settings>(&[("APP_LEVEL", "\"\n\\"), ("APP_X\u{7}", "1")]).unwrap_err();
    let json = report.to_json();
    assert!(!json.contains('\n'));
    let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
    let parsed = parsed.as_array().unwrap();
    assert_eq!(parsed.len(), report.len());
    for (json, problem) in parsed.iter().zip(report.iter()) {
        assert_eq!(json["variable"], problem.variable());
        assert_eq!(json["reason"], problem.reason());
        assert_eq!(json["expected"].as_str().unwrap_or_default(), problem.expected());
    }
}

#[test]
fn a_default_never_hides_a_mistake() {
    let problems = problems::<Settings>(&[("APP_TIMEOUT", ""), ("APP_LEVEL", "loud")]);
    assert!(
        problems.contains(
            &"APP_TIMEOUT is empty: unset it to use the default \"30s\": \
          expected a duration such as 250ms, 30s or 1h30m, from 100ms to 5m"
                .to_owned()
        )
    );
    assert!(problems.iter().any(|problem| problem.starts_with("APP_LEVEL is \"loud\"")));
}

#[test]
fn a_bad_default_in_the_code_is_named_as_such() {
    #[derive(Debug, Config)]
    #[expect(dead_code, reason = "read by the derive, looked at by nobody")]
    struct Bad {
        #[config(default = "30")]
        timeout: Duration,
        #[config(default = 7, range = 10..)]
        size: u8,
    }
    assert_eq!(
        problems::<Bad>(&[]),
        [
            "TIMEOUT has a default in the code, \"30\", that has no unit: write ms, s, m, h or d after the number: \
             expected a duration such as 250ms, 30s or 1h30m",
            "SIZE has a default in the code, \"7\", that is too small: expected a whole number from 10 to 255",
        ]
    );
}

#[test]
fn long_and_hostile_values_stay_short_and_harmless() {
    let megabyte = "7".repeat(1 << 20);
    let report = load::<Settings>(&[
        ("APP_PORT", &megabyte),
        ("APP_LEVEL", "\u{202e}loud"),
        ("APP_TIMEOUT", "\u{1b}[2J\r\n\0"),
        ("APP_\u{1b}[2J\r\n", ""),
        ("APP_NAME", ""),
    ])
    .unwrap_err();
    let text = report.to_string();
    assert!(text.len() < 2_000, "{} bytes", text.len());
    assert!(text.contains("…\" (1048576 bytes)"), "{text}");
    assert!(!text.contains(['\u{1b}', '\u{202e}', '\r', '\0']), "{text}");
    assert!(text.contains(r"\u{202e}loud"), "{text}");
    assert!(text.contains(r"APP_\u{1b}[2J\r\n"), "{text}");
    // A control character may be the seam of two assignments: what stands behind it is not shown.
    assert!(!text.contains(r"\u{1b}[2J\r\n\0"), "{text}");
}

#[test]
fn a_unit_of_a_megabyte_is_not_printed() {
    let report =
        load::<Settings>(&[("APP_TIMEOUT", &format!("1{}", "x".repeat(1 << 20)))]).unwrap_err();
    assert!(report.to_string().len() < 2_000);
}

#[test]
fn a_megabyte_that_is_valid_arrives_whole() {
    #[derive(Debug, Config)]
    struct Big {
        text: String,
    }
    let megabyte = "é".repeat(1 << 19);
    assert_eq!(load::<Big>(&[("TEXT", &megabyte)]).unwrap().text, megabyte);
}

#[test]
fn white_space_around_a_value_is_said_to_be_there() {
    assert!(
        problems::<Settings>(&[("APP_PORT", "3000 ")])[0]
            .starts_with("APP_PORT has white space around it")
    );
}

#[test]
#[should_panic(expected = "two fields of `Twice` read the same variable: rename one")]
fn two_fields_of_one_variable_are_found_in_debug_builds() {
    #[derive(Debug, Config)]
    #[expect(dead_code, reason = "read by the derive, looked at by nobody")]
    struct Twice {
        redis_url: String,
        #[config(nested)]
        redis: Inner,
    }
    #[derive(Debug, Config)]
    #[expect(dead_code, reason = "read by the derive, looked at by nobody")]
    struct Inner {
        url: String,
    }
    let _ = Twice::load_from(Env::default());
}

#[test]
fn problems_are_a_proper_error() {
    fn is_error<T: std::error::Error + Send + Sync + 'static>() {}
    is_error::<underpin_config::Problems>();
    assert_eq!(lines(Settings::load_from(Env::default())).len(), 3);
}

#[test]
fn texts_of_the_code_do_not_break_a_line_either() {
    #[derive(Debug, Config)]
    #[expect(dead_code, reason = "read by the derive, looked at by nobody")]
    struct Lines {
        #[config(default = "two\nlines\u{202e}")]
        text: String,
    }
    assert_eq!(
        problems::<Lines>(&[("TEXT", "")]),
        [r#"TEXT is empty: unset it to use the default "two\nlines\u{202e}": expected text"#]
    );
}

#[test]
#[should_panic(expected = "the range of `SIZE` has no valid bound")]
fn a_range_that_no_value_can_have_is_found_in_debug_builds() {
    #[derive(Debug, Config)]
    #[expect(dead_code, reason = "read by the derive, looked at by nobody")]
    struct Wide {
        #[config(range = 0..=256)]
        size: u8,
    }
    let _ = Wide::load_from(Env::default());
}

#[test]
#[should_panic(expected = "read the same variable: rename one")]
fn a_field_in_the_place_of_a_file_is_found_in_debug_builds() {
    #[derive(Debug, Config)]
    #[expect(dead_code, reason = "read by the derive, looked at by nobody")]
    struct Outer {
        a: String,
        #[config(nested, prefix = "A_")]
        inner: Inner,
    }
    #[derive(Debug, Config)]
    #[expect(dead_code, reason = "read by the derive, looked at by nobody")]
    struct Inner {
        file: String,
    }
    let _ = Outer::load_from(Env::default());
}
