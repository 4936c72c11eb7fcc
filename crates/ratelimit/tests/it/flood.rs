//! More keys than there is room for.

use std::{
    fs,
    time::{Duration, Instant},
};

use underpin_ratelimit::{Limit, Limiter, WhenFull, Why};

use crate::{just_before, secs, three_an_hour};

#[test]
fn as_many_keys_as_promised_find_room() {
    for limit in three_an_hour() {
        let (limiter, now) = (Limiter::new(limit), Instant::now());
        assert!((0..100_000).all(|key| limiter.check_at(&key, 1, now).is_ok()), "{limit:?}");
        assert_eq!(limiter.keys_in_use(), 100_000);
        assert!((0..100_000).all(|key| limiter.peek_at(&key, now).remaining == 2), "{limit:?}");
    }
}

#[test]
fn key_takes_no_more_than_is_said() {
    for (limit, most) in three_an_hour().into_iter().zip([59, 24, 24, 24]) {
        let bytes = Limiter::new(limit).bytes();
        assert!(bytes <= most * 100_000, "{limit:?}: {bytes}");
    }
}

#[test]
fn memory_stays_flat_under_any_number_of_keys() {
    let keys = testkit::full_or(5_000_000, 500_000);
    let [window, gcra, _, _] = three_an_hour();
    flood(gcra, WhenFull::Deny, keys);
    flood(window, WhenFull::Deny, keys / 5);
    flood(gcra, WhenFull::ForgetLeast, keys / 5);
    flood(window, WhenFull::ForgetLeast, keys / 5);
}

fn flood(limit: Limit, when_full: WhenFull, keys: u64) {
    let limiter = Limiter::builder(limit).when_full(when_full).build();
    let now = Instant::now();
    assert!(limiter.check_at("limited", 3, now).is_ok());
    // Until each slot was used.
    let known = (0..200_000).take_while(|_| limiter.keys_in_use() < 140_000);
    known.for_each(|round| {
        (0..20_000).for_each(|key| drop(limiter.check_at(&(round, key), 1, now)));
    });
    let (bytes, resident) = (limiter.bytes(), resident());
    let is_denied = when_full == WhenFull::Deny;
    let mut full = 0;
    for key in 0..keys {
        match limiter.check_at(&(key, "flood"), 1, now) {
            Err(denied) if denied.why == Why::Full => full += 1,
            checked => assert!(checked.is_ok()),
        }
        if is_denied && key % 10_000 == 0 {
            assert!(limiter.check_at("limited", 1, now).is_err(), "{limit:?}");
        }
    }
    assert!(limiter.bytes() <= bytes + bytes / 20, "{limit:?}: {bytes}, {}", limiter.bytes());
    // Tests beside this one allocate, too, so this is only for a full run.
    if testkit::is_full() {
        let grown = self::resident().saturating_sub(resident);
        assert!(grown < 16 << 20, "{limit:?}: {grown}");
    }
    assert!(if is_denied { full > keys * 9 / 10 } else { full == 0 }, "{full}");
}

/// Bytes that this process has in memory.
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

#[test]
fn full_table_says_when_there_is_room_again() {
    for limit in three_an_hour() {
        let limiter = Limiter::builder(limit).name("few").keys(1).build();
        let now = Instant::now();
        let denied = (0..).find_map(|key| limiter.check_at(&key, 1, now).err()).expect("an end");
        assert_eq!(denied.why, Why::Full);
        assert_eq!(limiter.keys_in_use(), 256);
        assert!(denied.to_string().starts_with("rate limit 'few' has no room for another key: "));
        let then = now + denied.retry_after.expect("a time");
        assert!(limiter.check_at("new", 1, just_before(then)).is_err(), "{limit:?}");
        assert!(limiter.check_at("new", 1, then).is_ok(), "{limit:?}");
    }
}

#[test]
fn the_one_that_loses_least_is_forgotten_first() {
    let hour = secs(3600);
    for limit in [Limit::window(3, hour), Limit::gcra(3, hour)] {
        let limiter = Limiter::builder(limit).keys(1).when_full(WhenFull::ForgetLeast).build();
        let now = Instant::now();
        for (passed, key) in [100].into_iter().chain(0..100).chain(101..256).enumerate() {
            let at = now + Duration::from_millis(passed as u64);
            assert!(limiter.check_at(&key, 1, at).is_ok());
        }
        let now = now + secs(1);
        assert!(limiter.check_at("new", 1, now).is_ok());
        let forgotten: Vec<i32> =
            (0..256).filter(|key| limiter.peek_at(key, now).remaining == 3).collect();
        assert_eq!(forgotten, [100], "{limit:?}");
    }
}

#[test]
fn slot_that_is_as_good_as_new_is_used_again() {
    for limit in three_an_hour() {
        let limiter = Limiter::builder(limit).keys(1).build();
        let mut now = Instant::now();
        for round in 0..10 {
            assert!((0..256).all(|key| limiter.check_at(&(round, key), 1, now).is_ok()));
            assert!(limiter.check_at(&(round, "more"), 1, now).is_err());
            now += secs(2 * 3600);
        }
    }
}

#[test]
fn first_nanosecond_counts_like_any_other() {
    for limit in three_an_hour() {
        // Earlier than the limiter was made: its first nanosecond.
        let now = Instant::now();
        let limiter = Limiter::builder(limit).keys(1).build();
        assert!(limiter.check_at("key", 3, now).is_ok());
        assert!(limiter.check_at("key", 1, now).is_err());
        assert_eq!((0..255).filter(|key| limiter.check_at(key, 1, now).is_ok()).count(), 255);
        assert!(limiter.check_at("key", 1, now).is_err(), "{limit:?}");
    }
}
