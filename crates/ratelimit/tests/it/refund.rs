//! What is given back.

use std::time::Instant;

use underpin_ratelimit::{Limit, Limiter};

use crate::{secs, three_an_hour};

#[test]
fn what_was_not_used_is_there_again() {
    for limit in three_an_hour() {
        let (limiter, now) = (Limiter::new(limit), Instant::now());
        let granted = limiter.check_at("key", 2, now).expect("3 are allowed");
        limiter.refund(granted);
        assert_eq!(limiter.peek_at("key", now).remaining, 3, "{limit:?}");
        assert!(limiter.check_at("key", 3, now).is_ok(), "{limit:?}");
    }
}

#[test]
fn the_latest_first_gives_all_back() {
    for limit in three_an_hour() {
        let (limiter, now) = (Limiter::new(limit), Instant::now());
        let [one, two] = [1, 2].map(|n| limiter.check_at("key", n, now).expect("3 are allowed"));
        limiter.refund(two);
        limiter.refund(one);
        assert_eq!(limiter.peek_at("key", now).remaining, 3, "{limit:?}");
    }
}

#[test]
fn windows_take_back_an_earlier_one_and_a_rate_does_not() {
    for (limit, remaining) in three_an_hour().into_iter().zip([2, 1, 2, 2]) {
        let (limiter, now) = (Limiter::new(limit), Instant::now());
        let [one, _] = [1, 1].map(|n| limiter.check_at("key", n, now).expect("3 are allowed"));
        limiter.refund(one);
        assert_eq!(limiter.peek_at("key", now).remaining, remaining, "{limit:?}");
    }
}

/// It was followed by a quiet time, which has paid for it already.
#[test]
fn late_refund_of_a_rate_admits_nothing_more() {
    let (limiter, now) = (Limiter::new(Limit::gcra(1, secs(1)).burst(1)), Instant::now());
    let early = limiter.check_at("key", 1, now).expect("1 is allowed");
    assert!(limiter.check_at("key", 1, now + secs(5)).is_ok());
    limiter.refund(early);
    assert!(limiter.check_at("key", 1, now + secs(5)).is_err());
}

#[test]
fn refund_to_another_limiter_or_of_nothing_changes_nothing() {
    for limit in three_an_hour() {
        let (limiter, other) = (Limiter::new(limit), Limiter::new(limit));
        let granted = limiter.check("key").expect("3 are allowed");
        other.check_n("key", 3).expect("3 are allowed");
        other.refund(granted);
        other.refund(other.check_n("key", 0).expect("0 are always granted"));
        assert_eq!((limiter.remaining("key"), other.remaining("key")), (2, 0));
    }
}
