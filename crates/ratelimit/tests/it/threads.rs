//! From many threads at once.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    thread,
    time::{Duration, Instant},
};

use underpin_ratelimit::{Limit, Limiter};

const HOUR: Duration = Duration::from_secs(3600);

fn thousand_an_hour() -> [Limit; 4] {
    [
        Limit::window(1000, HOUR),
        Limit::gcra(1000, HOUR),
        Limit::fixed(1000, HOUR),
        Limit::two_windows(1000, HOUR),
    ]
}

#[test]
fn exactly_the_limit_is_granted() {
    for limit in thousand_an_hour() {
        let (limiter, now) = (Limiter::new(limit), Instant::now());
        let granted = || {
            let ask = |_: &u32| limiter.check_at("key", 1, now).is_ok();
            (0..testkit::full_or(100_000, 10_000)).filter(ask).count()
        };
        let total: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(granted)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert_eq!(total, 1000, "{limit:?}");
    }
}

#[test]
fn what_is_held_and_not_given_back_is_never_more_than_the_limit() {
    for limit in [
        Limit::window(8, HOUR),
        Limit::gcra(8, HOUR),
        Limit::fixed(8, HOUR),
        Limit::two_windows(8, HOUR),
    ] {
        let (limiter, now) = (Limiter::new(limit), Instant::now());
        let held = AtomicI64::new(0);
        thread::scope(|scope| {
            for thread in 0..4 {
                let (limiter, held) = (&limiter, &held);
                scope.spawn(move || {
                    for turn in 0..testkit::full_or(100_000, 10_000) {
                        let n = 1 + (turn + thread) % 3;
                        let Ok(granted) = limiter.check_at("key", n, now) else { continue };
                        let before = held.fetch_add(n.into(), Ordering::SeqCst);
                        assert!(before + i64::from(n) <= 8, "{limit:?}");
                        held.fetch_sub(n.into(), Ordering::SeqCst);
                        limiter.refund(granted);
                    }
                });
            }
        });
        // A rate may have kept some: what was given back when others had come later.
        let remaining = limiter.peek_at("key", now).remaining;
        assert!(remaining == 8 || limit == Limit::gcra(8, HOUR), "{limit:?}: {remaining}");
    }
}
