//! What each type accepts.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU16,
    path::PathBuf,
    time::Duration,
};

use proptest::prelude::*;
use underpin_config::{ByteSize, Config, Invalid, Rules, Url, Value};

use super::{load, problems};

fn parse<T: Value>(text: &str) -> Option<T> {
    T::parse(text, &Rules::NONE).ok()
}

#[test]
fn integers_are_whole_and_in_range() {
    assert_eq!(parse::<u8>("255"), Some(255));
    assert_eq!(parse::<i64>("-9223372036854775808"), Some(i64::MIN));
    assert_eq!(parse::<u128>("340282366920938463463374607431768211455"), Some(u128::MAX));
    assert_eq!(parse::<NonZeroU16>("1").map(NonZeroU16::get), Some(1));
    for text in ["256", "-1", "1.0", "1e3", "0x10", "1_000", " 1", "", "٣"] {
        assert_eq!(parse::<u8>(text), None, "{text}");
    }
    assert!(parse::<NonZeroU16>("0").is_none());
    // To an unsigned type a minus is a wrong digit, to a person the number is too small.
    assert_eq!(u8::parse("-1", &Rules::NONE), Err(Invalid::new("is too small")));
}

#[test]
fn numbers_are_finite() {
    assert_eq!(parse::<f64>("0.5"), Some(0.5));
    for text in ["NaN", "inf", "-inf", "1e999", "x"] {
        assert_eq!(parse::<f64>(text), None, "{text}");
    }
}

#[test]
fn booleans_have_four_spellings_each() {
    for text in ["true", "TRUE", "1", "yes", "on"] {
        assert_eq!(parse::<bool>(text), Some(true), "{text}");
    }
    for text in ["false", "0", "No", "off"] {
        assert_eq!(parse::<bool>(text), Some(false), "{text}");
    }
    for text in ["t", "2", "enabled", ""] {
        assert_eq!(parse::<bool>(text), None, "{text}");
    }
}

#[test]
fn addresses_and_paths() {
    assert!(parse::<SocketAddr>("[::]:8080").is_some());
    assert!(parse::<SocketAddr>("localhost:8080").is_none());
    assert!(parse::<IpAddr>("127.0.0.1").is_some());
    assert_eq!(parse::<PathBuf>("./data"), Some(PathBuf::from("./data")));
}

#[test]
fn lists_may_end_with_a_separator() {
    assert_eq!(parse::<Vec<u16>>("1, 2,3,"), Some(vec![1, 2, 3]));
    assert_eq!(parse::<Vec<String>>("a"), Some(vec!["a".to_owned()]));
    assert_eq!(parse::<Vec<String>>(","), Some(vec![]));
    for text in ["1,,2", ",1", "1,x", "1,2,,"] {
        assert_eq!(parse::<Vec<u16>>(text), None, "{text}");
    }
}

#[derive(Debug, PartialEq, Value)]
enum Mode {
    ReadOnly,
    #[config(rename = "rw", alias = ["read-write", "readwrite"])]
    ReadWrite,
    HTTPServer,
}

#[derive(Debug, PartialEq, Value)]
struct Workers(u8);

#[test]
fn names_are_kebab_case_in_any_case() {
    assert_eq!(parse("read-only"), Some(Mode::ReadOnly));
    assert_eq!(parse("Read-Only"), Some(Mode::ReadOnly));
    assert_eq!(parse("rw"), Some(Mode::ReadWrite));
    assert_eq!(parse("ReadWrite"), Some(Mode::ReadWrite));
    assert_eq!(parse("http-server"), Some(Mode::HTTPServer));
    assert_eq!(parse::<Mode>("read_only"), None);
}

#[test]
fn a_newtype_reads_as_what_it_wraps() {
    assert_eq!(parse("8"), Some(Workers(8)));
    assert_eq!(parse::<Workers>("300"), None);
}

#[derive(Debug, Config)]
struct Ruled {
    #[config(unit = "s", range = "1s"..)]
    patience: Duration,
    #[config(unit = "MiB", range = ..="1GiB")]
    cache: ByteSize,
    #[config(range = -10..=10)]
    offset: i32,
    #[config(range = 0.5..=1.5)]
    factor: f64,
    #[config(separator = ';', range = 1..=9)]
    digits: Vec<u8>,
    #[config(from_str, expects = "a version such as 1.2.3")]
    version: Version,
    #[config(check = is_even)]
    even: u32,
}

#[derive(Debug, PartialEq)]
struct Version(Vec<u32>);

impl std::str::FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts =
            text.split('.').map(|part| part.parse().map_err(|_| format!("bad version {text}")));
        parts.collect::<Result<_, _>>().map(Version)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that `check` takes")]
fn is_even(number: &u32) -> Result<(), &'static str> {
    if number.is_multiple_of(2) { Ok(()) } else { Err("is odd") }
}

const GOOD: [(&str, &str); 7] = [
    ("PATIENCE", "90"),
    ("CACHE", "512"),
    ("OFFSET", "-10"),
    ("FACTOR", "1.5"),
    ("DIGITS", "1;9"),
    ("VERSION", "1.2.3"),
    ("EVEN", "4"),
];

#[test]
fn rules_let_good_values_pass() {
    let ruled = load::<Ruled>(&GOOD).unwrap();
    assert_eq!(ruled.patience, Duration::from_secs(90));
    assert_eq!(ruled.cache, ByteSize::new(512 << 20));
    assert_eq!((ruled.offset, ruled.factor, ruled.even), (-10, 1.5, 4));
    assert_eq!((ruled.digits, ruled.version), (vec![1, 9], Version(vec![1, 2, 3])));
}

#[test]
fn rules_say_what_they_ask_for() {
    for (name, text, problem) in [
        (
            "PATIENCE",
            "0.5",
            "is \"0.5\", which is too small: expected a duration such as 250ms, 30s or 1h30m, or a number in s, from 1s",
        ),
        (
            "CACHE",
            "1025",
            "is \"1025\", which is too large: expected a byte size such as 512KiB, 4MiB or 1GB, or a number in MiB, up to 1GiB",
        ),
        ("OFFSET", "11", "is \"11\", which is too large: expected a whole number from -10 to 10"),
        ("FACTOR", "0.4", "is \"0.4\", which is too small: expected a number from 0.5 to 1.5"),
        (
            "DIGITS",
            "1;0",
            "is \"1;0\", which is too small: expected a list separated by ';', each a whole number from 1 to 9",
        ),
        ("VERSION", "one", "is not valid: expected a version such as 1.2.3"),
        ("EVEN", "3", "is \"3\", which is odd: expected a whole number from 0 to 4294967295"),
    ] {
        let pairs =
            GOOD.map(|(good, value)| if good == name { (good, text) } else { (good, value) });
        assert_eq!(problems::<Ruled>(&pairs), [format!("{name} {problem}")]);
    }
}

proptest! {
    #[test]
    fn parsers_take_any_text_without_panic(text in ".{0,40}") {
        let _ = parse::<Duration>(&text);
        let _ = parse::<ByteSize>(&text);
        let _ = parse::<Url>(&text);
        let _ = parse::<Vec<f64>>(&text);
    }

    #[test]
    fn near_durations_take_any_text_without_panic(text in "([0-9]{0,22}(\\.[0-9]{0,22})?(d|h|m|s|ms|us|µs|ns|x|)){0,4}") {
        let _ = parse::<Duration>(&text);
    }

    #[test]
    fn what_std_prints_of_a_duration_in_units_is_read_back(secs in 0..=u64::MAX / 2, nanos in 0..1_000_000_000_u32) {
        let duration = Duration::new(secs, nanos);
        prop_assert_eq!(parse::<Duration>(&format!("{secs}s{nanos}ns")), Some(duration));
        prop_assert_eq!(parse::<Duration>(&format!("{secs}.{nanos:09}s")), Some(duration));
    }

    #[test]
    fn urls_that_parse_print_without_their_credentials(
        user in "[a-z]{1,8}", password in "[A-Z0-9]{8,16}", host in "[a-z]{1,8}", port in 1..=u16::MAX, path in "[a-z/]{0,8}",
    ) {
        let text = format!("https://{user}:{password}@{host}:{port}/{path}?token={password}");
        let url = parse::<Url>(&text).unwrap();
        prop_assert_eq!(url.as_str(), &text);
        let shown = format!("{url} {url:?}");
        prop_assert!(!shown.contains(&password), "{}", shown);
    }
}
