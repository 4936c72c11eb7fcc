//! One question, one answer.

use std::{error::Error, time::Instant};

use underpin_ratelimit::{Denied, Granted, Limit, Limiter, Why};

use crate::{just_before, millis, secs, three_an_hour};

#[test]
fn what_is_denied_is_not_counted() {
    for limit in three_an_hour() {
        let (limiter, now) = (Limiter::new(limit), Instant::now());
        assert!(limiter.check_at("key", 2, now).is_ok());
        for _ in 0..10 {
            let denied = limiter.check_at("key", 2, now).expect_err("1 is left");
            assert_eq!((denied.why, denied.remaining), (Why::Limit, 1));
        }
        assert!(limiter.check_at("key", 1, now).is_ok(), "{limit:?}");
    }
}

#[test]
fn zero_are_granted_and_count_nothing() {
    for limit in three_an_hour() {
        let (limiter, now) = (Limiter::new(limit), Instant::now());
        assert_eq!(limiter.check_at("key", 0, now).map(|granted| granted.remaining), Ok(3));
        assert!(limiter.check_at("key", 3, now).is_ok());
        assert_eq!(limiter.check_at("key", 0, now).map(|granted| granted.remaining), Ok(0));
        assert_eq!(limiter.peek_at("other", now).remaining, 3);
        assert_eq!(limiter.keys_in_use(), 1);
    }
}

#[test]
fn more_than_the_limit_at_once_is_denied_for_good() {
    for limit in three_an_hour() {
        let limiter = Limiter::builder(limit).name("uploads").build();
        for n in [4, 5, u32::MAX] {
            let denied = limiter.check_n("key", n).expect_err("3 are the most");
            assert_eq!((denied.why, denied.retry_after), (Why::TooMany, None));
            let text = "rate limit 'uploads' never allows more than 3 at once: ask for fewer";
            assert_eq!(denied.to_string(), text);
        }
        assert_eq!(limiter.remaining("key"), 3);
    }
}

#[test]
fn retry_after_is_the_earliest_time_and_no_earlier() {
    for limit in three_an_hour() {
        let (limiter, now) = (Limiter::new(limit), Instant::now());
        for n in [1, 2] {
            limiter.check_at("key", n, now + n * secs(10)).expect("3 are allowed");
        }
        let now = now + secs(30);
        let denied = limiter.check_at("key", 1, now).expect_err("they are used up");
        let after = denied.retry_after.expect("a time");
        assert_eq!(limiter.peek_at("key", now).retry_after, after);
        let nearly = just_before(now + after);
        assert!(limiter.check_at("key", 1, nearly).is_err(), "{limit:?}");
        assert!(limiter.check_at("key", 1, now + after).is_ok(), "{limit:?}");
    }
}

#[test]
fn all_of_it_is_there_again_after_the_reset_and_not_before() {
    for limit in three_an_hour() {
        let (limiter, now) = (Limiter::new(limit), Instant::now());
        limiter.check_at("key", 1, now).expect("3 are allowed");
        let after = limiter.check_at("key", 1, now).expect("3 are allowed").reset_after;
        let nearly = just_before(now + after);
        assert!(limiter.peek_at("key", nearly).remaining < 3, "{limit:?}");
        assert_eq!(limiter.peek_at("key", now + after).remaining, 3, "{limit:?}");
    }
}

#[test]
fn request_leaves_the_window_exactly_its_length_later() {
    let (limiter, now) = (Limiter::new(Limit::window(1, secs(10))), Instant::now());
    assert!(limiter.check_at("key", 1, now).is_ok());
    assert!(limiter.check_at("key", 1, now + millis(9_999)).is_err());
    assert!(limiter.check_at("key", 1, now + millis(10_000)).is_ok());
}

/// A caller reads the clock before it gets the lock, so another with a later time may come first.
#[test]
fn stale_time_denies_nobody_and_rewinds_nothing() {
    for limit in three_an_hour() {
        let (limiter, early) = (Limiter::new(limit), Instant::now());
        let now = early + secs(7200);
        assert!(limiter.check_at("key", 1, now).is_ok());
        assert!(limiter.check_at("key", 1, just_before(now)).is_ok(), "{limit:?}");
        assert!(limiter.check_at("key", 1, early).is_ok(), "{limit:?}");
        assert!(limiter.check_at("key", 1, early).is_err(), "{limit:?}");
        assert!(limiter.check_at("key", 1, now).is_err(), "{limit:?}");
    }
}

#[test]
fn keys_of_any_kind_are_counted_apart() {
    let limiter = Limiter::new(Limit::gcra(1, secs(3600)));
    assert!(limiter.check(&()).is_ok());
    assert!(limiter.check(&7_u64).is_ok());
    assert!(limiter.check(&("tenant", 7)).is_ok());
    assert!(limiter.check("key").is_ok());
    assert!(limiter.check(&String::from("key")).is_err(), "the same text is the same key");
    assert!(limiter.clone().check(&()).is_err(), "a clone is the same limiter");
}

#[test]
fn reset_forgets_one_key() {
    for limit in three_an_hour() {
        let limiter = Limiter::new(limit);
        for key in ["one", "other"] {
            assert!(limiter.check_n(key, 3).is_ok());
        }
        limiter.reset("one");
        limiter.reset("unknown");
        assert_eq!((limiter.remaining("one"), limiter.remaining("other")), (3, 0));
    }
}

#[test]
fn denial_names_the_limiter_and_the_time_but_no_key() {
    let limiter = Limiter::builder(Limit::gcra(1, secs(10))).name("per-user").build();
    let now = Instant::now();
    let _ = limiter.check_at("secret", 1, now);
    let denied = limiter.check_at("secret", 1, now + millis(2500)).expect_err("it is used up");
    assert_eq!(denied.to_string(), "rate limit 'per-user' is used up: try again in 7.500 s");
    assert!(denied.source().is_none());
    assert!(!format!("{denied:?} {limiter:?}").contains("secret"));
    is_portable::<(Denied, Granted, Limiter, Limit)>();
}

fn is_portable<T: Send + Sync + 'static>() {}

#[test]
fn only_a_window_allocates_for_a_key() {
    for limit in three_an_hour().into_iter().skip(1) {
        let limiter = Limiter::new(limit);
        let info = allocation_counter::measure(|| {
            for key in 0..1000 {
                assert!(limiter.check(&key).is_ok());
                assert!(limiter.check(&key).is_ok());
                assert!(limiter.check_n(&key, 2).is_err());
            }
        });
        assert_eq!(info.count_total, 0, "{limit:?}");
    }
    let window = Limiter::new(three_an_hour()[0]);
    assert!(allocation_counter::measure(|| drop(window.check(&0))).count_total > 0);
}
