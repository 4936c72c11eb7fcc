//! When runs start.

use std::time::Duration;

use tokio::time::{Instant, advance};
use underpin_periodic::{Missed, Overlap, every};

use crate::{Log, SECOND, pass};

#[tokio::test(start_paused = true)]
async fn first_run_comes_after_one_period_unless_asked_for_at_once() {
    let (late, early) = (Log::default(), Log::default());
    let begun = Instant::now();
    let (a, b) = (late.clone(), early.clone());
    let first = every(SECOND).spawn(move |_| a.clone().run(Duration::ZERO));
    let second = every(SECOND).immediately().spawn(move |_| b.clone().run(Duration::ZERO));
    pass(2_500).await;
    assert_eq!(late.starts(begun), [1_000, 2_000]);
    assert_eq!(early.starts(begun), [0, 1_000, 2_000]);
    assert_eq!((first.stop().await.started, second.stop().await.started), (2, 3));
}

#[tokio::test(start_paused = true)]
async fn grid_does_not_drift_with_the_length_of_runs() {
    let log = Log::default();
    let begun = Instant::now();
    let copy = log.clone();
    let schedule = every(SECOND).spawn(move |_| copy.clone().run(Duration::from_millis(700)));
    pass(10_500).await;
    assert_eq!(log.starts(begun), (1..=10).map(|n| n * 1_000).collect::<Vec<u128>>());
    assert_eq!(schedule.stop().await.succeeded, 10);
}

#[tokio::test(start_paused = true)]
async fn time_that_passed_unseen_is_counted_and_made_up_for_as_asked() {
    for (missed, starts, given_up) in [
        (Missed::Skip, vec![1_000, 5_300, 6_000], 3),
        (Missed::Realign, vec![1_000, 5_300, 6_300], 3),
        (Missed::Burst, vec![1_000, 5_300, 5_300, 5_300, 5_300, 6_000], 0),
    ] {
        let log = Log::default();
        let begun = Instant::now();
        let copy = log.clone();
        let schedule = every(SECOND)
            .missed(missed)
            .overlap(Overlap::Concurrent(9))
            .spawn(move |_| copy.clone().run(Duration::ZERO));
        pass(1_100).await;
        // As when the process is suspended: the clock jumps, and no task has run meanwhile.
        advance(Duration::from_millis(4_200)).await;
        pass(1_100).await;
        let stats = schedule.stop().await;
        assert_eq!(log.starts(begun), starts, "{missed:?}");
        assert_eq!(stats.missed, given_up, "{missed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn jitter_is_the_same_for_a_seed_and_within_its_bound() {
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let log = Log::default();
        let begun = Instant::now();
        let copy = log.clone();
        let schedule =
            every(SECOND).jitter(0.2).seed(seed).spawn(move |_| copy.clone().run(Duration::ZERO));
        pass(50_500).await;
        drop(schedule);
        let starts = log.starts(begun);
        for (start, n) in starts.iter().zip(1_u128..) {
            assert!((n * 1_000..=n * 1_000 + 201).contains(start), "tick {n} at {start}");
        }
        runs.push(starts);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test(start_paused = true)]
async fn paused_ticks_pass_unused_and_the_grid_stays() {
    let log = Log::default();
    let begun = Instant::now();
    let copy = log.clone();
    let schedule = every(SECOND).spawn(move |_| copy.clone().run(Duration::ZERO));
    pass(1_500).await;
    schedule.pause();
    pass(2_000).await;
    schedule.resume();
    pass(1_000).await;
    assert_eq!(log.starts(begun), [1_000, 4_000]);
    let stats = schedule.stop().await;
    assert_eq!((stats.started, stats.missed, stats.skipped), (2, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_run_can_be_asked_for_between_ticks() {
    let log = Log::default();
    let begun = Instant::now();
    let copy = log.clone();
    let schedule = every(SECOND).spawn(move |_| copy.clone().run(Duration::ZERO));
    pass(300).await;
    schedule.run_now();
    schedule.run_now();
    pass(1_000).await;
    assert_eq!(log.starts(begun), [300, 1_000]);
    drop(schedule);
}

#[tokio::test(start_paused = true)]
async fn ticks_know_their_number_and_when_they_were_due() {
    let begun = Instant::now();
    let schedule = every(SECOND).spawn(move |tick| async move {
        let due =
            begun + SECOND * u32::try_from(tick.number + 1).map_err(|error| error.to_string())?;
        if tick.due == due { Ok(()) } else { Err(format!("{tick:?}")) }
    });
    pass(5_500).await;
    assert_eq!(schedule.stop().await.succeeded, 5);
}

#[test]
#[should_panic(expected = "a period must be longer than zero")]
fn no_period_is_refused_at_the_call() {
    let _ = every(Duration::ZERO);
}

#[test]
#[should_panic(expected = "the ratio of a jitter must be from 0 to 1")]
fn impossible_jitter_is_refused_at_the_call() {
    let _ = every(SECOND).jitter(1.5);
}

#[tokio::test(start_paused = true)]
async fn a_period_or_backoff_without_end_is_no_overflow() {
    let never = every(Duration::MAX).jitter(1.0).overlap(Overlap::Delay).spawn(|_| async {});
    let once = every(SECOND).backoff(|_| Duration::MAX).spawn(|_| async { Err("down") });
    pass(10_000).await;
    assert_eq!((never.stop().await.started, once.stop().await.started), (0, 1));
}
