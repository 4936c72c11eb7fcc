//! A limit that is changed while it counts.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use underpin_ratelimit::{Limit, Limiter, Why};

use crate::{millis, secs, three_an_hour};

/// As [`three_an_hour`].
fn an_hour(requests: u32) -> [Limit; 4] {
    let hour = secs(3600);
    [
        Limit::window(requests, hour),
        Limit::gcra(requests, hour),
        Limit::fixed(requests, hour),
        Limit::two_windows(requests, hour),
    ]
}

#[test]
fn more_are_allowed_at_once_and_what_was_counted_stays_counted() {
    // A rate counts in time, of which 3 in an hour have used up an hour.
    for ((three, five), left) in three_an_hour().into_iter().zip(an_hour(5)).zip([2, 0, 2, 2]) {
        let (limiter, now) = (Limiter::new(three), Instant::now());
        assert!(limiter.check_at("key", 3, now).is_ok());
        limiter.set_limit(five);
        assert_eq!(limiter.limit(), five);
        let snapshot = limiter.peek_at("key", now);
        assert_eq!((snapshot.limit, snapshot.remaining), (5, left), "{five:?}");
        assert!(snapshot.retry_after <= secs(720), "{five:?}");
        assert!(limiter.check_at("key", left + 1, now).is_err(), "{five:?}");
        assert!(limiter.check_at("other", 5, now).is_ok(), "{five:?}");
    }
}

#[test]
fn fewer_are_allowed_at_once_and_nobody_is_charged_afterwards() {
    for (three, two) in three_an_hour().into_iter().zip(an_hour(2)) {
        let (limiter, now) = (Limiter::new(three), Instant::now());
        assert!(limiter.check_at("used up", 3, now).is_ok());
        assert!(limiter.check_at("in use", 1, now).is_ok());
        limiter.set_limit(two);
        let denied = limiter.check_at("used up", 1, now).expect_err("it is used up");
        assert_eq!((denied.why, denied.limit, denied.remaining), (Why::Limit, 2, 0), "{two:?}");
        assert!(denied.retry_after <= Some(secs(7200)), "{two:?}: {denied:?}");
        assert!(limiter.check_at("in use", 1, now).is_ok(), "{two:?}");
        assert!(limiter.check_at("in use", 1, now).is_err(), "{two:?}");
        let denied = limiter.check_at("new", 3, now).expect_err("it is too much now");
        assert_eq!((denied.why, denied.retry_after), (Why::TooMany, None), "{two:?}");
    }
}

/// A burst of ten was used up, which takes an hour to come back. With a burst of two, the next would wait for 54 minutes if that debt were taken over.
#[test]
fn a_rate_that_was_used_up_waits_for_one_place() {
    let rate = Limit::gcra(10, secs(3600));
    let (limiter, now) = (Limiter::new(rate), Instant::now());
    assert!(limiter.check_at("key", 10, now).is_ok());
    limiter.set_limit(rate.burst(2));
    let denied = limiter.check_at("key", 1, now).expect_err("it is used up");
    let wait = denied.retry_after.expect("it comes");
    assert!(wait > secs(350) && wait <= secs(360), "{wait:?}");
    assert!(limiter.check_at("key", 1, now + secs(361)).is_ok());
}

#[test]
fn what_a_shorter_window_left_behind_does_not_count_in_a_longer_one() {
    let (limiter, now) = (Limiter::new(Limit::window(3, secs(1))), Instant::now());
    assert!(limiter.check_at("key", 2, now).is_ok());
    assert!(limiter.check_at("key", 1, now + millis(900)).is_ok());
    // The first two have left the window of a second.
    assert!(limiter.check_at("key", 1, now + millis(1500)).is_ok());
    limiter.set_limit(Limit::window(3, secs(60)));
    assert_eq!(limiter.peek_at("key", now + millis(1500)).remaining, 1);
}

#[test]
fn what_was_granted_before_cannot_be_given_back() {
    for (three, two) in three_an_hour().into_iter().zip(an_hour(2)) {
        let (limiter, now) = (Limiter::new(three), Instant::now());
        let granted = limiter.check_at("key", 1, now).expect("3 are allowed");
        limiter.set_limit(two);
        limiter.refund(granted);
        assert_eq!(limiter.peek_at("key", now).remaining, 1, "{two:?}");
    }
}

#[cfg(feature = "tokio")]
#[test]
fn those_who_wait_keep_their_places_and_are_not_overtaken() {
    use std::{future::Future, pin::pin, task};

    crate::block_on_paused(async {
        for (one, hundred) in an_hour(1).into_iter().zip(an_hour(100)) {
            let limiter = Limiter::new(one);
            let start = tokio::time::Instant::now();
            assert!(limiter.check("key").is_ok());
            let mut waiting = pin!(limiter.acquire("key", secs(7200)));
            let mut context = task::Context::from_waker(task::Waker::noop());
            assert!(waiting.as_mut().poll(&mut context).is_pending());
            limiter.set_limit(hundred);
            let denied = limiter.check("key").expect_err("somebody waits");
            assert_eq!(denied.why, Why::Limit, "{hundred:?}");
            assert!(waiting.await.is_ok());
            assert!(start.elapsed() > secs(3590), "{hundred:?}: {:?}", start.elapsed());
            assert!(limiter.acquire("key", secs(36)).await.is_ok(), "{hundred:?}");
        }
    });
}

#[test]
#[should_panic = "make another limiter"]
fn a_limit_of_another_algorithm_is_refused() {
    Limiter::new(Limit::fixed(1, secs(1))).set_limit(Limit::window(1, secs(1)));
}

#[test]
fn threads_that_ask_while_it_changes_never_get_more_than_the_larger_one() {
    for (few, many) in an_hour(100).into_iter().zip(an_hour(200)) {
        let (limiter, granted) = (Limiter::new(few), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let is_granted = limiter.check("key").is_ok();
                        granted.fetch_add(u32::from(is_granted), Ordering::Relaxed);
                    }
                });
            }
            for limit in [many, few, many, few].into_iter().cycle().take(100) {
                limiter.set_limit(limit);
            }
            limiter.set_limit(many);
        });
        assert!((100..=201).contains(&granted.into_inner()), "{many:?}");
        assert!(limiter.check_n("other", 200).is_ok(), "the last change is in force: {many:?}");
    }
}

#[test]
fn keys_stay_as_many_and_as_small() {
    let limiter = Limiter::builder(Limit::gcra(3, secs(3600))).keys(1000).build();
    (0..1000).for_each(|key| drop(limiter.check(&key)));
    let (keys, bytes) = (limiter.keys_in_use(), limiter.bytes());
    limiter.set_limit(Limit::gcra(30, Duration::from_secs(3600)));
    assert_eq!((limiter.keys_in_use(), limiter.bytes()), (keys, bytes));
}
