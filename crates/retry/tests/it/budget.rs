//! What all callers may do together.

use proptest::prelude::*;
use tokio::time::{Instant, sleep};
use underpin_retry::{Budget, Jitter, Retry, Why, Withdrawal};

use crate::{millis, secs};

/// Calls that all fail, one after the other; how many attempts they make.
async fn outage(calls: u32, budget: &Budget, pause: std::time::Duration) -> u32 {
    let retry = Retry::fixed(std::time::Duration::ZERO).retries(3).budget(budget);
    let mut attempts = 0;
    for _ in 0..calls {
        let gave_up = retry.run(|_| async { Err::<(), _>(()) }).await.expect_err("it fails");
        attempts += gave_up.attempts;
        sleep(pause).await; // sleep-ok: virtual time
    }
    attempts
}

#[tokio::test(start_paused = true)]
async fn outage_costs_a_fifth_more_and_not_four_times_as_much() {
    let budget = Budget::ratio(0.2).burst(0);
    assert_eq!(outage(1000, &budget, millis(1)).await, 1000);
    let budget = Budget::ratio(0.2).burst(10);
    // 10 that were there, and 0.2 for each of 1,000 calls.
    assert_eq!(outage(1000, &budget, millis(1)).await, 1000 + 10 + 200);
}

#[tokio::test(start_paused = true)]
async fn ratio_is_kept_to_a_millionth() {
    for (ratio, retries) in [(0.3, 300), (0.4, 400), (0.6, 600), (0.001, 1)] {
        let budget = Budget::ratio(ratio).burst(1);
        let attempts = outage(1000, &budget, millis(1)).await;
        assert!((retries..=retries + 1).contains(&(attempts - 1000)), "{ratio}: {attempts}");
    }
}

#[tokio::test(start_paused = true)]
async fn floor_lets_the_few_retry() {
    let budget = Budget::ratio(0.0).burst(0).at_least_per_second(10.0);
    // A call every 10 s has all its retries.
    assert_eq!(outage(10, &budget, secs(10)).await, 40);
    // A thousand in ten seconds share 10 retries a second, and the second's worth that was saved.
    let attempts = outage(1000, &budget, millis(10)).await;
    assert!((1100..=1111).contains(&attempts), "{attempts}");
}

#[tokio::test(start_paused = true)]
async fn empty_budget_is_the_reason_that_is_given() {
    let budget = Budget::ratio(0.0).burst(0);
    let retry = Retry::fixed(secs(1)).budget(&budget);
    let gave_up = retry.run(|_| async { Err::<(), _>(()) }).await.expect_err("it fails");
    assert_eq!((gave_up.attempts, gave_up.why), (1, Why::Budget));
}

#[tokio::test(start_paused = true)]
async fn retry_that_is_dropped_while_it_waits_is_given_back() {
    let budget = Budget::ratio(0.0).burst(1);
    let retry = Retry::fixed(secs(1)).retries(1).budget(&budget);
    for _ in 0..10 {
        let run = retry.run(|_| async { Err::<(), _>(()) });
        assert!(tokio::time::timeout(millis(500), run).await.is_err());
        assert_eq!(budget.balance(), 1);
    }
    let gave_up = retry.run(|_| async { Err::<(), _>(()) }).await.expect_err("it fails");
    assert_eq!((gave_up.attempts, gave_up.why), (2, Why::Attempts));
    assert_eq!(budget.balance(), 0);
}

#[tokio::test(start_paused = true)]
async fn retry_that_has_begun_is_not_given_back() {
    let budget = Budget::ratio(0.0).burst(1);
    let retry = Retry::fixed(secs(1)).retries(1).budget(&budget);
    let run = retry.run(|attempt| async move {
        if attempt.is_retry() {
            std::future::pending::<()>().await;
        }
        Err::<(), _>(())
    });
    assert!(tokio::time::timeout(secs(5), run).await.is_err());
    assert_eq!(budget.balance(), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_for_a_retry_that_will_not_be() {
    let budget = Budget::ratio(0.0).burst(5);
    let retry = Retry::fixed(secs(10)).budget(&budget);
    let _ = retry.clone().within(secs(1)).run(|_| async { Err::<(), _>(()) }).await;
    let _ = retry.clone().retries(0).run(|_| async { Err::<(), _>(()) }).await;
    let _ = retry.run(|_| async { Err::<(), _>(()) }).when(|()| false).await;
    assert_eq!(budget.balance(), 5);
}

#[tokio::test(start_paused = true)]
async fn calls_that_succeed_fill_it_up_to_the_burst() {
    let budget = Budget::ratio(0.5).burst(3);
    outage(100, &budget, millis(1)).await;
    assert_eq!(budget.balance(), 0);
    let retry = Retry::fixed(secs(1)).jitter(Jitter::None).budget(&budget);
    for _ in 0..100 {
        retry.run(|_| async { Ok::<_, ()>(()) }).await.expect("it succeeds");
    }
    assert_eq!(budget.balance(), 3);
}

#[test]
fn a_hedge_leaves_half_for_retries_rounded_up() {
    for (burst, hedges) in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (100, 50)] {
        let budget = Budget::ratio(1.0).burst(burst);
        let taken = std::iter::from_fn(|| budget.take_spare()).map(Withdrawal::spend).count();
        assert_eq!(
            (taken, budget.balance()),
            (hedges, u64::from(burst) - hedges as u64),
            "{burst}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_has_no_share_of_the_floor() {
    let budget = Budget::ratio(0.0).burst(2).at_least_per_second(10.0);
    budget.take_spare().expect("one of two").spend();
    sleep(secs(10)).await; // sleep-ok: virtual time
    assert!(budget.take_spare().is_none());
    assert_eq!(outage(1, &budget, millis(0)).await, 4);
}

#[test]
fn a_hedge_that_does_not_begin_is_paid_back() {
    let budget = Budget::ratio(0.0).burst(2);
    drop(budget.take_spare().expect("one of two"));
    assert_eq!(budget.balance(), 2);
}

#[tokio::test(start_paused = true)]
async fn calls_fill_it_up_for_hedges_again() {
    let budget = Budget::ratio(0.25).burst(2);
    let retry = Retry::fixed(secs(1)).budget(&budget);
    let mut hedges = 0;
    for _ in 0..400 {
        retry.run(|_| async { Ok::<_, ()>(()) }).await.expect("it succeeds");
        hedges += usize::from(budget.take_spare().map(Withdrawal::spend).is_some());
    }
    assert_eq!((hedges, budget.balance()), (101, 1));
}

#[test]
fn misuse_is_named() {
    let message = |make: fn() -> Budget| {
        let panic = std::panic::catch_unwind(make).expect_err("it panics");
        panic.downcast_ref::<String>().expect("a message").clone()
    };
    assert_eq!(
        message(|| Budget::ratio(-0.1)),
        "a retry budget of -0.1 per call is not from 0 to 1000"
    );
    assert!(message(|| Budget::ratio(f64::NAN)).contains("NaN"));
    assert_eq!(
        message(|| Budget::ratio(0.1).at_least_per_second(0.0)),
        "0 retries a second are not from 0.001 to 1,000,000"
    );
}

proptest! {
    /// Whatever comes when, the bound that is documented holds.
    #[test]
    fn retries_and_hedges_stay_within_the_bound(
        pauses in prop::collection::vec(0_u64..400, 1..120),
        ratio in 0.0_f64..1.5, burst in 0_u32..20, floor in prop::option::of(0.1_f64..50.0),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let (calls, retries, elapsed) = runtime.expect("a runtime").block_on(async {
            let mut budget = Budget::ratio(ratio).burst(burst);
            if let Some(floor) = floor {
                budget = budget.at_least_per_second(floor);
            }
            let begin = Instant::now();
            let mut attempts = 0;
            for pause in &pauses {
                let hedge = budget.take_spare().map(Withdrawal::spend).is_some();
                attempts += outage(1, &budget, millis(*pause)).await + u32::from(hedge);
            }
            let calls = f64::from(u32::try_from(pauses.len()).expect("a few"));
            (calls, f64::from(attempts) - calls, begin.elapsed().as_secs_f64())
        });
        let floor = floor.map_or(0.0, |floor| floor * (elapsed + 1.0) + 1.0);
        prop_assert!(retries <= ratio * calls + f64::from(burst) + floor + 1.0, "{retries}");
    }
}
