//! What happens on a tick while a run is active.

use std::time::Duration;

use tokio::time::Instant;
use underpin_periodic::{Overlap, Stats, every};

use crate::{Log, SECOND, pass};

/// Runs that take 2.5 periods, for 10.4 periods: when they started, how many were active at once, and the statistics.
async fn long_runs(overlap: Overlap) -> (Vec<u128>, usize, Stats) {
    let log = Log::default();
    let begun = Instant::now();
    let copy = log.clone();
    let schedule = every(SECOND)
        .overlap(overlap)
        .spawn(move |_| copy.clone().run(Duration::from_millis(2_500)));
    pass(10_400).await;
    let starts = log.starts(begun);
    (starts, log.most(), schedule.stop().await)
}

#[tokio::test(start_paused = true)]
async fn is_skipped_by_default_and_counted() {
    let (times, at_once, stats) = long_runs(Overlap::default()).await;
    assert_eq!((times, at_once), (vec![1_000, 4_000, 7_000, 10_000], 1));
    assert_eq!((stats.started, stats.skipped), (4, 6));
}

#[tokio::test(start_paused = true)]
async fn delay_counts_from_the_end_of_a_run() {
    let (times, at_once, stats) = long_runs(Overlap::Delay).await;
    assert_eq!((times, at_once), (vec![1_000, 4_500, 8_000], 1));
    assert_eq!((stats.started, stats.skipped), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn queue_keeps_one_waiting() {
    let (times, at_once, stats) = long_runs(Overlap::Queue).await;
    assert_eq!((times, at_once), (vec![1_000, 3_500, 6_000, 8_500], 1));
    assert_eq!(stats.started, 4);
    assert!(stats.skipped > 0);
}

#[tokio::test(start_paused = true)]
async fn concurrent_runs_stop_at_their_limit() {
    let (times, at_once, stats) = long_runs(Overlap::Concurrent(2)).await;
    assert_eq!((times, at_once), (vec![1_000, 2_000, 4_000, 5_000, 7_000, 8_000, 10_000], 2));
    assert_eq!((stats.started, stats.skipped), (7, 3));
}

#[test]
#[should_panic(expected = "at least one run must be allowed at once")]
fn no_run_at_once_is_refused_at_the_call() {
    let _ = every(SECOND).overlap(Overlap::Concurrent(0));
}
