//! The rate is exact, and the decisions are those of a limiter that many use.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use governor::{Quota, RateLimiter, clock::FakeRelativeClock};
use proptest::prelude::*;
use underpin_ratelimit::{Limit, Limiter};

use crate::{millis, secs};

#[test]
fn rate_does_not_depend_on_how_often_one_asks() {
    let (limiter, begin) = (Limiter::new(Limit::gcra(1, secs(86_400)).burst(1)), Instant::now());
    let admitted = |at: Duration| limiter.check_at("key", 1, begin + at).is_ok();
    assert!(admitted(Duration::ZERO));
    let asked = (1..).map(|asked| millis(170) * asked);
    let first = asked.into_iter().find(|at| admitted(*at)).expect("it comes");
    assert!(first >= secs(86_400) && first < secs(86_400) + millis(170), "{first:?}");
}

/// 300 a second is one in 3 333 333.3 ns: what is asked for at the nanosecond, as soon as it may be, adds up.
#[test]
fn fractions_of_a_nanosecond_are_kept() {
    for (requests, expected) in [(3, 3), (7, 7), (300, 300), (30_000, 30_000)] {
        let limiter = Limiter::new(Limit::gcra(requests, secs(1)).burst(2));
        let (begin, mut at) = (Instant::now(), Duration::ZERO);
        let mut admitted = 0;
        while at < secs(10) {
            match limiter.check_at("key", 1, begin + at) {
                Ok(_) => admitted += 1,
                Err(denied) => at += denied.retry_after.expect("a time"),
            }
        }
        // The burst at the beginning, and the rate from then on; the last one is due at the end.
        assert_eq!(admitted, 10 * expected + 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(testkit::full_or(20_000, 2000)))]
    #[test]
    fn decisions_are_those_of_governor(
        interval in prop_oneof![1_u64..100, Just(1_000_000_u64)], burst in 1_u32..20,
        steps in prop::collection::vec((0_u64..200, 1_u32..24), 0..300),
    ) {
        let interval = Duration::from_nanos(interval);
        let clock = FakeRelativeClock::default();
        let quota = Quota::with_period(interval).expect("above 0");
        let quota = quota.allow_burst(NonZeroU32::new(burst).expect("above 0"));
        let peer = RateLimiter::direct_with_clock(quota, clock.clone());
        let limiter = Limiter::builder(Limit::gcra(1, interval).burst(burst)).keys(1).build();
        let mut now = Instant::now();
        for (step, n) in steps {
            let step = interval * u32::try_from(step).expect("it is small") / 50;
            clock.advance(step);
            now += step;
            let theirs = peer.check_n(NonZeroU32::new(n).expect("above 0"));
            let ours = limiter.check_at("key", n, now);
            prop_assert_eq!(ours.is_ok(), matches!(theirs, Ok(Ok(()))));
            prop_assert_eq!(n > burst, theirs.is_err());
        }
    }
}
