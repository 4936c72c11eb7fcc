//! Environments that are odd, and former names.

use std::ffi::OsString;

use underpin_config::{Config, Env, Source};

use super::{lines, problems};

#[derive(Debug, Config)]
#[config(prefix = "APP_")]
struct Settings {
    #[config(default = 1, alias = ["APP_OLD", "OLDER"])]
    size: u32,
    #[config(empty = "allow", default = "x")]
    motto: String,
    #[config(empty = "unset", default = "x")]
    title: String,
}

#[cfg(unix)]
#[test]
fn what_is_not_utf_8_is_said_to_be() {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let env = Env::from([
        (bytes(b"APP_SIZE"), bytes(b"\xff")),
        (bytes(b"APP_S\xffZE"), bytes(b"1")),
        (bytes(b"OTHER\xff"), bytes(b"\xff")),
    ]);
    assert_eq!(
        lines(Settings::load_from(env)),
        [
            "APP_SIZE is not UTF-8: expected a whole number from 0 to 4294967295",
            "APP_S\\xFFZE is not a variable of this service: did you mean APP_SIZE?",
        ]
    );
}

#[test]
fn a_name_in_the_environment_twice_is_a_problem_unless_the_values_agree() {
    assert_eq!(
        problems::<Settings>(&[("APP_SIZE", "1"), ("APP_SIZE", "2")]),
        ["APP_SIZE is in the environment more than once, with different values"]
    );
    assert_eq!(problems::<Settings>(&[("APP_SIZE", "2"), ("APP_SIZE", "2")]), Vec::<String>::new());
}

#[test]
fn former_names_are_read_with_a_warning() {
    for former in ["APP_OLD", "OLDER"] {
        let loaded = Settings::load_from(Env::from([(former, "7")])).unwrap();
        assert_eq!(loaded.value.size, 7);
        let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            warnings,
            [format!("{former} is the former name of APP_SIZE: set APP_SIZE in its place")]
        );
    }
}

#[test]
fn a_former_name_may_stand_beside_the_new_one_only_with_the_same_value() {
    let loaded = Settings::load_from(Env::from([("APP_OLD", "7"), ("APP_SIZE", "7")])).unwrap();
    assert_eq!((loaded.value.size, loaded.warnings.len()), (7, 1));
    assert_eq!(
        problems::<Settings>(&[("APP_OLD", "7"), ("APP_SIZE", "8")]),
        ["APP_SIZE is set, and so is its former name APP_OLD to something else: unset APP_OLD: \
          expected a whole number from 0 to 4294967295"]
    );
}

#[test]
fn an_empty_text_can_be_a_value_or_nothing() {
    let loaded = Settings::load_from(Env::from([("APP_MOTTO", ""), ("APP_TITLE", "")])).unwrap();
    assert_eq!((loaded.value.motto.as_str(), loaded.value.title.as_str()), ("", "x"));
    let sources: Vec<_> = loaded.sources.iter().map(|(_, source)| source).collect();
    assert_eq!(sources, [&Source::Default, &Source::Environment, &Source::Default]);
}

#[test]
fn debug_shows_names_and_no_values() {
    let env = Env::from([("B", "hunter2"), ("A", "hunter2")]);
    assert_eq!(format!("{env:?}"), r#"{"A", "B"}"#);
}

#[test]
fn a_bad_value_is_reported_under_the_name_it_was_set_by() {
    assert_eq!(
        problems::<Settings>(&[("OLDER", "x")]),
        [
            "OLDER is \"x\", which is not a whole number: expected a whole number from 0 to 4294967295"
        ]
    );
}

#[test]
fn a_former_name_is_known_even_where_the_new_one_is_broken() {
    let found =
        problems::<Settings>(&[("APP_SIZE", "1"), ("APP_SIZE_FILE", "/x"), ("APP_OLD", "2")]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("APP_SIZE is set, and so is APP_SIZE_FILE"), "{found:?}");
}

#[test]
fn the_environment_goes_before_a_former_name_in_dotenv() {
    #[derive(Debug, Config)]
    #[config(profile = "APP_ENV")]
    struct Renamed {
        #[config(alias = "OLD")]
        new: String,
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(".env");
    for (variable, file, value) in [("NEW", "OLD=file", "env"), ("OLD", "NEW=file", "env")] {
        std::fs::write(&path, file).unwrap();
        let env = Env::from([(variable, "env")]).with_dotenv(&path);
        assert_eq!(Renamed::load_from(env).unwrap().value.new, value, "{variable} and {file}");
    }
}
