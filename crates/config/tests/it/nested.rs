//! Groups of variables.

use underpin_config::{Config, Env, Source};

use super::{load, problems};

#[derive(Debug, Config)]
#[config(prefix = "APP_")]
struct Settings {
    #[config(nested)]
    http: Http,
    #[config(nested, prefix = "CACHE_")]
    redis: Option<Redis>,
    #[config(nested, prefix = "")]
    limits: Limits,
    #[config(var = "TZ")]
    zone: Option<String>,
}

#[derive(Debug, Config)]
#[config(prefix = "IGNORED_WHERE_NESTED_")]
struct Http {
    #[config(default = 3000)]
    port: u16,
}

#[derive(Debug, Config)]
struct Redis {
    url: String,
    #[config(default = 4)]
    pool: usize,
    #[config(nested)]
    tls: Option<Tls>,
}

#[derive(Debug, Config)]
struct Tls {
    ca: String,
    #[config(default = true)]
    verify: bool,
}

#[derive(Debug, Config)]
struct Limits {
    rate: u32,
}

#[test]
fn names_come_after_the_prefixes_around_them() {
    let settings = load::<Settings>(&[
        ("APP_HTTP_PORT", "4000"),
        ("APP_CACHE_URL", "a"),
        ("APP_CACHE_TLS_CA", "b"),
        ("APP_RATE", "5"),
        ("TZ", "UTC"),
    ])
    .unwrap();
    let redis = settings.redis.unwrap();
    let tls = redis.tls.unwrap();
    assert_eq!(
        (settings.http.port, settings.limits.rate, settings.zone.as_deref()),
        (4000, 5, Some("UTC"))
    );
    assert_eq!((redis.url.as_str(), redis.pool, tls.ca.as_str(), tls.verify), ("a", 4, "b", true));
}

#[test]
fn an_optional_group_is_absent_when_none_of_it_is_set() {
    assert!(load::<Settings>(&[("APP_RATE", "5")]).unwrap().redis.is_none());
}

#[test]
fn an_optional_group_is_wanted_whole_when_any_of_it_is_set() {
    assert_eq!(
        problems::<Settings>(&[("APP_RATE", "5"), ("APP_CACHE_POOL", "8")]),
        ["APP_CACHE_URL is missing: expected text"]
    );
    assert_eq!(
        problems::<Settings>(&[("APP_RATE", "5"), ("APP_CACHE_TLS_VERIFY", "no")]),
        ["APP_CACHE_URL is missing: expected text", "APP_CACHE_TLS_CA is missing: expected text"]
    );
}

#[test]
fn a_file_counts_as_set() {
    assert_eq!(
        problems::<Settings>(&[("APP_RATE", "5"), ("APP_CACHE_URL_FILE", "/nowhere/url")]),
        [
            "APP_CACHE_URL_FILE names the file \"/nowhere/url\", which does not exist: expected the path of a file with text"
        ]
    );
}

#[test]
fn sources_say_where_each_value_came_from() {
    let loaded = Settings::load_from(Env::from([("APP_RATE", "5")])).unwrap();
    let sources: Vec<_> =
        loaded.sources.iter().map(|(name, source)| (name.as_str(), source)).collect();
    assert_eq!(
        sources,
        [
            ("APP_HTTP_PORT", &Source::Default),
            ("APP_RATE", &Source::Environment),
            ("TZ", &Source::Unset)
        ]
    );
}

#[test]
fn an_empty_text_that_counts_as_unset_does_not_make_a_group() {
    #[derive(Debug, Config)]
    struct Outer {
        #[config(nested)]
        inner: Option<Inner>,
    }
    #[derive(Debug, Config)]
    #[config(empty = "unset")]
    #[expect(dead_code, reason = "read by the derive, looked at by nobody")]
    struct Inner {
        a: Option<u8>,
        b: u8,
    }
    assert!(load::<Outer>(&[("INNER_A", "")]).unwrap().inner.is_none());
    assert_eq!(problems::<Outer>(&[("INNER_A", "1")]).len(), 1);
}
