//! How a schedule ends.

use std::time::Duration;

use tokio::{sync::oneshot, time::Instant};
use underpin_periodic::{Overlap, Schedule, every};

use crate::{Log, SECOND, pass};

fn long_runs(log: &Log) -> Schedule {
    let log = log.clone();
    every(SECOND).spawn(move |_| log.clone().run(Duration::from_secs(5)))
}

#[tokio::test(start_paused = true)]
async fn stop_waits_for_the_active_run() {
    let log = Log::default();
    let schedule = long_runs(&log);
    pass(2_000).await;
    let asked = Instant::now();
    let stats = schedule.stop().await;
    assert_eq!(asked.elapsed(), Duration::from_secs(4));
    assert_eq!((log.ended(), stats.succeeded, stats.started), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn stop_does_not_start_what_is_queued() {
    let log = Log::default();
    let copy = log.clone();
    let schedule = every(SECOND)
        .overlap(Overlap::Queue)
        .spawn(move |_| copy.clone().run(Duration::from_secs(5)));
    pass(3_000).await;
    assert_eq!(schedule.stop().await.started, 1);
}

#[tokio::test(start_paused = true)]
async fn stop_now_returns_when_the_run_has_been_dropped() {
    let log = Log::default();
    let schedule = long_runs(&log);
    pass(2_000).await;
    let asked = Instant::now();
    let stats = schedule.stop_now().await;
    assert_eq!((asked.elapsed(), log.active()), (Duration::ZERO, 0));
    assert_eq!((log.ended(), stats.cancelled), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn dropping_it_cancels() {
    let log = Log::default();
    let schedule = long_runs(&log);
    pass(2_000).await;
    assert_eq!(log.active(), 1);
    drop(schedule);
    pass(10_000).await;
    assert_eq!((log.active(), log.ended()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_of_stop_cancels() {
    let log = Log::default();
    let schedule = long_runs(&log);
    pass(2_000).await;
    let stopping = tokio::time::timeout(Duration::from_millis(100), schedule.stop()).await;
    assert!(stopping.is_err());
    pass(1).await;
    assert_eq!((log.active(), log.ended()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_future_can_stop_it_and_the_active_run_ends_in_its_own_time() {
    let log = Log::default();
    let (stop, stopped) = oneshot::channel::<()>();
    let copy = log.clone();
    let schedule = every(SECOND)
        .until(async move { drop(stopped.await) })
        .spawn(move |_| copy.clone().run(Duration::from_secs(5)));
    pass(2_000).await;
    stop.send(()).expect("the schedule listens");
    let asked = Instant::now();
    let stats = schedule.stopped().await;
    assert_eq!(asked.elapsed(), Duration::from_secs(4));
    assert_eq!((stats.started, stats.succeeded), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_idle_schedule_stops_at_once() {
    let log = Log::default();
    let schedule = long_runs(&log);
    let asked = Instant::now();
    assert_eq!(schedule.stop().await.started, 0);
    assert_eq!(asked.elapsed(), Duration::ZERO);
}
