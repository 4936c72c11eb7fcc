//! What cannot be asked for is refused where it is asked for, in words.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use underpin_ratelimit::{ClientIp, Limit, Limiter};

use crate::secs;

#[track_caller]
fn says<T>(part: &str, ask: impl FnOnce() -> T) {
    let text = |panic: Box<dyn Any + Send>| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().map(|text| text.to_string()).unwrap_or_default(),
    };
    let said = catch_unwind(AssertUnwindSafe(ask)).err().map(text).expect("it is refused");
    assert!(said.contains(part), "{said}");
}

#[test]
fn limits_that_allow_nothing_are_refused() {
    for limit in [Limit::window, Limit::gcra, Limit::fixed, Limit::two_windows] {
        says("0 requests", || limit(0, secs(1)));
        says("time above 0", || limit(1, Duration::ZERO));
        says("at most 366 days", || limit(1, secs(367 * 24 * 3600)));
        says("at most 366 days", || limit(1, Duration::MAX));
    }
    says("use Limit::two_windows", || Limit::window(1_000_001, secs(1)));
    says("burst of 0", || Limit::gcra(1, secs(1)).burst(0));
    says("only a rate has a burst", || Limit::window(1, secs(1)).burst(1));
    says("takes more than 366 days", || Limit::gcra(1, secs(24 * 3600)).burst(367));
    says("takes more than 366 days", || Limit::gcra(1, secs(24 * 3600)).burst(u32::MAX));
}

#[test]
fn counters_that_would_not_last_ten_years_are_refused() {
    says("do not fit", || Limit::two_windows(131_072, secs(1)));
    says("do not fit", || Limit::two_windows(u32::MAX, secs(1)));
    says("do not fit", || Limit::fixed(u32::MAX, Duration::from_millis(1)));
    says("do not fit", || Limit::fixed(1000, Duration::from_nanos(1)));
    for limit in [Limit::two_windows(131_071, secs(1)), Limit::two_windows(1_048_575, secs(60))] {
        assert!(Limiter::new(limit).check(&()).is_ok());
    }
}

#[test]
fn extremes_that_fit_are_counted() {
    let year = secs(366 * 24 * 3600);
    let nano = Duration::from_nanos(1);
    let limits = [
        Limit::window(1_000_000, year),
        Limit::window(1, nano),
        Limit::gcra(u32::MAX, year),
        Limit::gcra(u32::MAX, nano),
        Limit::gcra(1, nano).burst(u32::MAX),
        Limit::gcra(1, year).burst(1),
        Limit::fixed(u32::MAX, year),
        Limit::two_windows(10_000_000, year),
    ];
    for limit in limits {
        let limiter = Limiter::builder(limit).keys(1).build();
        for _ in 0..3 {
            let _ = limiter.check(&());
        }
        assert!(limiter.peek(&()).remaining <= limit.requests(), "{limit:?}");
    }
}

#[test]
fn a_name_that_could_break_a_header_is_refused() {
    let builder = || Limiter::builder(Limit::window(1, secs(1)));
    for name in ["", "a\"b", "a\\b", "a\r\nSet-Cookie: b", "a\0", "ä", "\u{7f}"] {
        says("cannot stand in a header", || builder().name(name));
    }
    assert_eq!(builder().name("per user; 10 = many").build().name(), "per user; 10 = many");
}

#[test]
fn other_settings_that_make_no_sense_are_refused() {
    says("0 keys", || Limiter::builder(Limit::window(1, secs(1))).keys(0));
    says("not from 48 to 64", || ClientIp::new().ipv6_prefix(47));
    says("not from 48 to 64", || ClientIp::new().ipv6_prefix(65));
}
