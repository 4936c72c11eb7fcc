//! Runs that do not end well.

use std::time::Duration;

use tokio::time::Instant;
use underpin_periodic::{Overlap, every};

use crate::{Log, SECOND, pass};

#[tokio::test(start_paused = true)]
async fn an_error_is_counted_and_the_next_run_starts() {
    let schedule = every(SECOND)
        .spawn(|tick| async move { if tick.number == 1 { Err("broken") } else { Ok(()) } });
    pass(2_500).await;
    let stats = schedule.stats();
    assert_eq!((stats.succeeded, stats.failed, stats.consecutive_failures), (1, 1, 1));
    pass(1_000).await;
    assert_eq!(schedule.stop().await.consecutive_failures, 0);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_future_is_survived() {
    let schedule = every(SECOND).spawn(|tick| async move { assert_ne!(tick.number, 1, "boom") });
    pass(3_500).await;
    let stats = schedule.stop().await;
    assert_eq!((stats.started, stats.succeeded, stats.panicked), (3, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_closure_is_survived() {
    let schedule = every(SECOND).spawn(|tick| {
        assert_ne!(tick.number, 1, "boom");
        async {}
    });
    pass(3_500).await;
    let stats = schedule.stop().await;
    assert_eq!((stats.started, stats.succeeded, stats.panicked), (3, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_too_long_is_dropped() {
    let log = Log::default();
    let copy = log.clone();
    let schedule = every(SECOND)
        .timeout(Duration::from_millis(300))
        .spawn(move |_| copy.clone().run(Duration::from_secs(60)));
    pass(1_200).await;
    assert_eq!(log.active(), 1);
    pass(200).await;
    assert_eq!(log.active(), 0);
    let stats = schedule.stop().await;
    assert_eq!((stats.started, stats.timed_out), (1, 1));
    assert_eq!(stats.last_duration, Some(Duration::from_millis(300)));
}

#[tokio::test(start_paused = true)]
async fn backoff_holds_the_next_run_back_until_one_ends_well() {
    let log = Log::default();
    let begun = Instant::now();
    let copy = log.clone();
    let schedule =
        every(SECOND).backoff(|failures| SECOND * 2_u32.pow(failures)).spawn(move |tick| {
            let run = copy.clone().run(Duration::ZERO);
            async move {
                run.await;
                if tick.number < 3 { Err("down") } else { Ok(()) }
            }
        });
    pass(17_500).await;
    drop(schedule);
    // 1, then 2, 4 and 8 s after a failure, then every second again.
    assert_eq!(log.starts(begun), [1_000, 3_000, 7_000, 15_000, 16_000, 17_000]);
}

#[tokio::test(start_paused = true)]
async fn backoff_holds_back_what_is_queued_too() {
    let log = Log::default();
    let begun = Instant::now();
    let copy = log.clone();
    let schedule =
        every(SECOND).overlap(Overlap::Queue).backoff(|_| SECOND * 10).spawn(move |_| {
            let run = copy.clone().run(Duration::from_millis(1_500));
            async move {
                run.await;
                Err("down")
            }
        });
    pass(12_000).await;
    // The tick at 2 s waits for the run that fails at 2.5 s, and must not follow it at once.
    assert_eq!(log.starts(begun), [1_000]);
    assert_eq!(schedule.stats().skipped, 1);
    pass(1_000).await;
    assert_eq!(log.starts(begun), [1_000, 12_500]);
    drop(schedule);
}
