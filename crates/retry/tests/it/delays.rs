//! The schedule.

use std::time::Duration;

use proptest::prelude::*;
use underpin_retry::{Jitter, Retry};

use crate::{millis, secs};

fn seconds(retry: &Retry) -> Vec<u64> {
    retry.delays(1).map(|delay| delay.as_secs()).collect()
}

#[test]
fn exponential_delays_double_up_to_the_longest() {
    let retry = Retry::exponential(secs(1)..=secs(10)).jitter(Jitter::None);
    assert_eq!(seconds(&retry), [1, 2, 4]);
    assert_eq!(seconds(&retry.retries(6)), [1, 2, 4, 8, 10, 10]);
    let jobs = Retry::exponential(secs(2)..=secs(60)).jitter(Jitter::None).retries(4);
    assert_eq!(seconds(&jobs), [2, 4, 8, 16]);
}

#[test]
fn fixed_and_custom_delays_are_as_given() {
    assert_eq!(seconds(&Retry::fixed(secs(7))), [7, 7, 7]);
    let custom = Retry::custom(|retry| secs(2_u64.pow(retry).min(60))).retries(8);
    assert_eq!(seconds(&custom), [1, 2, 4, 8, 16, 32, 60, 60]);
}

#[test]
fn no_retries_have_no_delays() {
    assert_eq!(Retry::fixed(secs(1)).retries(0).delays(1).count(), 0);
}

#[test]
#[should_panic(expected = "the first delay of 2s is longer than the longest, 1s")]
fn empty_range_is_refused() {
    let _ = Retry::exponential(secs(2)..=secs(1));
}

#[test]
fn same_seed_gives_the_same_delays_and_another_gives_others() {
    let retry = Retry::exponential(secs(1)..=secs(10)).retries(20);
    let delays = |seed| retry.delays(seed).collect::<Vec<_>>();
    assert_eq!(delays(1), delays(1));
    assert_ne!(delays(1), delays(2));
}

/// Means and extremes of 20,000 first delays.
fn spread(retry: &Retry) -> (Duration, Duration, Duration) {
    let delays: Vec<Duration> =
        (0..20_000).map(|seed| retry.delays(seed).next().expect("a retry")).collect();
    let mean = delays.iter().sum::<Duration>() / 20_000;
    (*delays.iter().min().expect("some"), mean, *delays.iter().max().expect("some"))
}

fn near(duration: Duration, seconds: f64) -> bool {
    (duration.as_secs_f64() - seconds).abs() < 0.02 * 8.0
}

#[test]
fn full_jitter_is_even_from_nothing_to_the_delay() {
    let (least, mean, most) = spread(&Retry::exponential(secs(8)..=secs(8)));
    assert!(near(least, 0.0) && near(mean, 4.0) && near(most, 8.0), "{least:?} {mean:?} {most:?}");
}

#[test]
fn equal_jitter_is_even_from_half_of_the_delay_on() {
    let retry = Retry::exponential(secs(8)..=secs(8)).jitter(Jitter::Equal);
    let (least, mean, most) = spread(&retry);
    assert!(near(least, 4.0) && near(mean, 6.0) && near(most, 8.0), "{least:?} {mean:?} {most:?}");
}

#[test]
fn decorrelated_jitter_is_even_from_the_first_to_three_times_the_one_before() {
    let retry = Retry::exponential(secs(2)..=secs(1000)).jitter(Jitter::Decorrelated);
    let (least, mean, most) = spread(&retry);
    assert!(near(least, 2.0) && near(mean, 4.0) && near(most, 6.0), "{least:?} {mean:?} {most:?}");
    for seed in 0..1000 {
        let delays: Vec<_> = retry.delays(seed).collect();
        assert!(delays.windows(2).all(|two| two[1] >= secs(2) && two[1] <= two[0] * 3));
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_together_do_not_come_back_together() {
    let retry = Retry::exponential(secs(1000)..=secs(1000)).retries(1);
    let mut waits = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let gave_up = retry.run(|_| async { Err::<(), _>(()) }).await.expect_err("it fails");
        waits.insert(gave_up.elapsed.as_secs());
    }
    assert!(waits.len() > 80, "{} of 100 calls have a time of their own", waits.len());
}

proptest! {
    #[test]
    fn delays_are_never_longer_than_the_schedule_has_them(
        first in 0_u64..100_000, more in 0_u64..100_000, retries in 0_u32..80, seed: u64,
        jitter in prop::sample::select(vec![Jitter::Full, Jitter::Equal, Jitter::Decorrelated]),
    ) {
        let (first, longest) = (Duration::from_millis(first), Duration::from_millis(first + more));
        let plain = Retry::exponential(first..=longest).retries(retries).jitter(Jitter::None);
        let jittered = plain.clone().jitter(jitter);
        prop_assert_eq!(jittered.delays(seed).count(), retries as usize);
        for (delay, most) in jittered.delays(seed).zip(plain.delays(seed)) {
            match jitter {
                Jitter::Full => prop_assert!(delay <= most),
                Jitter::Equal => prop_assert!(most / 2 <= delay && delay <= most),
                _ => prop_assert!(first <= delay && delay <= longest),
            }
        }
    }

    #[test]
    fn huge_delays_overflow_nothing(retries in 0_u32..200, seed: u64) {
        for jitter in [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
            let retry = Retry::exponential(Duration::MAX / 3..=Duration::MAX).jitter(jitter);
            prop_assert_eq!(retry.retries(retries).delays(seed).count(), retries as usize);
        }
    }
}

#[test]
fn a_policy_says_what_it_does_in_a_line() {
    let exponential = Retry::exponential(secs(1)..=secs(10));
    assert_eq!(exponential.to_string(), "3 retries, 1s doubling to 10s, full jitter");
    assert_eq!(Retry::fixed(millis(50)).retries(1).to_string(), "1 retry, 50ms apart, no jitter");
    let custom = Retry::custom(|_| secs(1)).retries(0).jitter(Jitter::Equal);
    assert_eq!(custom.to_string(), "0 retries, delays of its own, equal jitter");
}
