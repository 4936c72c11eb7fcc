//! The document's five tests, one to one: 3 requests in 10 s.

use std::time::Instant;

use underpin_ratelimit::{Limit, Limiter};

use crate::{millis, secs};

fn limiter() -> Limiter {
    Limiter::new(Limit::window(3, secs(10)))
}

#[test]
fn document_allows_requests_under_the_limit() {
    let (limiter, now) = (limiter(), Instant::now());
    assert!(limiter.check_at("user-1", 1, now).is_ok());
    assert!(limiter.check_at("user-1", 1, now).is_ok());
    assert!(limiter.check_at("user-1", 1, now).is_ok());
}

#[test]
fn document_rejects_requests_over_the_limit() {
    let (limiter, now) = (limiter(), Instant::now());
    for _ in 0..3 {
        assert!(limiter.check_at("user-1", 1, now).is_ok());
    }
    assert!(limiter.check_at("user-1", 1, now).is_err(), "the fourth is rejected");
}

#[test]
fn document_tracks_limits_per_key_independently() {
    let (limiter, now) = (limiter(), Instant::now());
    for _ in 0..3 {
        assert!(limiter.check_at("user-1", 1, now).is_ok());
    }
    assert!(
        limiter.check_at("user-2", 1, now).is_ok(),
        "a user of its own has a window of its own"
    );
}

#[test]
fn document_resets_after_the_window_expires() {
    let (limiter, now) = (limiter(), Instant::now());
    for _ in 0..3 {
        assert!(limiter.check_at("user-1", 1, now).is_ok());
    }
    assert!(limiter.check_at("user-1", 1, now + millis(10_001)).is_ok(), "allowed again");
}

#[test]
fn document_returns_remaining_count() {
    let (limiter, now) = (limiter(), Instant::now());
    assert!(limiter.check_at("user-1", 1, now).is_ok());
    assert_eq!(limiter.peek_at("user-1", now).remaining, 2);
    assert!(limiter.check_at("user-1", 1, now).is_ok());
    assert_eq!(limiter.peek_at("user-1", now).remaining, 1);
}
