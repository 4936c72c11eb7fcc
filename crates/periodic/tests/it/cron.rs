//! Times of day.

use std::{
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::Instant;
use underpin_periodic::{Missed, Overlap, Periodic, cron};

use crate::{Log, pass};

const HOUR: u64 = 3_600_000;

/// A wall clock that goes with tokio's, and can be set.
#[derive(Clone)]
struct Wall {
    begun: Instant,
    /// Seconds since 1970 when the test began.
    start: u64,
    /// Seconds by which it has been set since.
    set_by: Arc<AtomicI64>,
}

impl Wall {
    fn at(start: u64) -> Wall {
        Wall { begun: Instant::now(), start, set_by: Arc::default() }
    }

    fn now(&self) -> SystemTime {
        let set_by = self.set_by.load(Ordering::SeqCst);
        let start = self.start.checked_add_signed(set_by).expect("tests stay after 1970");
        UNIX_EPOCH + Duration::from_secs(start) + self.begun.elapsed()
    }

    fn set_by(&self, seconds: i64) {
        self.set_by.fetch_add(seconds, Ordering::SeqCst);
    }
}

/// Starts short runs by that wall clock.
fn spawn(periodic: Periodic, wall: &Wall, log: &Log) -> underpin_periodic::Schedule {
    let (wall, log) = (wall.clone(), log.clone());
    periodic.wall_clock(move || wall.now()).spawn(move |_| log.clone().run(Duration::ZERO))
}

/// Minutes after the beginning at which `expression` runs in Berlin within `hours`.
async fn minutes(expression: &str, start: u64, hours: u64) -> Vec<u128> {
    let (wall, log) = (Wall::at(start), Log::default());
    let schedule = spawn(cron(expression, "Europe/Berlin").expect("it is valid"), &wall, &log);
    pass(hours * HOUR).await;
    drop(schedule);
    log.starts(wall.begun).iter().map(|millis| millis / 60_000).collect()
}

/// 2026-06-01 00:00, 2026-03-28 12:00 and 2026-10-24 12:00 in UTC.
const SUMMER: u64 = 1_780_272_000;
const BEFORE_SPRING: u64 = 1_774_699_200;
const BEFORE_AUTUMN: u64 = 1_792_843_200;

#[tokio::test(start_paused = true)]
async fn runs_at_the_time_of_the_zone() {
    // Three o'clock in Berlin is one o'clock in UTC.
    assert_eq!(minutes("0 3 * * *", SUMMER, 50).await, [60, 60 + 1_440, 60 + 2_880]);
    assert_eq!(minutes("*/20 * * * *", SUMMER, 1).await, [20, 40]);
    assert_eq!(minutes("0 0 9 * * MON#1", SUMMER, 24).await, [7 * 60]);
}

#[tokio::test(start_paused = true)]
async fn a_time_that_spring_takes_away_runs_after_the_gap() {
    // 02:30 does not exist on the 29th: it runs at 03:00 summer time, which is 01:00 UTC, then at 00:30 UTC.
    assert_eq!(minutes("30 2 * * *", BEFORE_SPRING, 40).await, [13 * 60, 36 * 60 + 30]);
}

#[tokio::test(start_paused = true)]
async fn a_time_that_autumn_gives_twice_runs_once() {
    // 02:30 summer time on the 25th is 00:30 UTC; on the 26th it is winter, so 01:30 UTC.
    assert_eq!(minutes("30 2 * * *", BEFORE_AUTUMN, 40).await, [12 * 60 + 30, 37 * 60 + 30]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_a_little_repeats_no_run() {
    let (wall, log) = (Wall::at(SUMMER), Log::default());
    let schedule = spawn(cron("0 * * * *", "UTC").expect("it is valid"), &wall, &log);
    pass(HOUR + 60_000).await;
    assert_eq!(log.starts(wall.begun).len(), 1);
    wall.set_by(-1_800);
    // Half past twelve again; one o'clock has had its run, two o'clock is an hour and a half away.
    pass(HOUR).await;
    assert_eq!(log.starts(wall.begun).len(), 1);
    pass(HOUR).await;
    assert_eq!(log.starts(wall.begun).len(), 2);
    drop(schedule);
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_a_lot_was_wrong_before() {
    let (wall, log) = (Wall::at(SUMMER), Log::default());
    let schedule = spawn(cron("0 * * * *", "UTC").expect("it is valid"), &wall, &log);
    pass(5 * HOUR + 60_000).await;
    assert_eq!(log.starts(wall.begun).len(), 5);
    wall.set_by(-5 * 3_600);
    pass(HOUR + 60_000).await;
    assert_eq!(log.starts(wall.begun).len(), 6);
    drop(schedule);
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_forward_is_noticed_within_a_minute_and_made_up_for_as_asked() {
    for (missed, runs, given_up) in [(Missed::Skip, 1, 2), (Missed::Burst, 3, 0)] {
        let (wall, log) = (Wall::at(SUMMER), Log::default());
        let hourly = cron("0 * * * *", "UTC").expect("it is valid");
        let schedule = spawn(hourly.missed(missed).overlap(Overlap::Concurrent(9)), &wall, &log);
        pass(600_000).await;
        wall.set_by(3 * 3_600);
        pass(61_000).await;
        let stats = schedule.stop().await;
        assert_eq!((log.starts(wall.begun).len(), stats.missed), (runs, given_up), "{missed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn at_once_and_jitter_apply_to_times_too() {
    let (wall, log) = (Wall::at(SUMMER), Log::default());
    let hourly = cron("0 * * * *", "UTC").expect("it is valid").immediately().jitter(0.1).seed(3);
    let schedule = spawn(hourly, &wall, &log);
    pass(3 * HOUR).await;
    drop(schedule);
    let starts = log.starts(wall.begun);
    assert_eq!(starts[0], 0);
    assert!((3_600_000..=3_961_000).contains(&starts[1]), "{starts:?}");
    assert!((7_200_000..=7_561_000).contains(&starts[2]), "{starts:?}");
}

#[test]
fn what_names_no_time_is_refused_with_the_reason() {
    for (expression, zone, text) in [
        ("61 * * * *", "UTC", "\"61 * * * *\" is no cron expression"),
        ("", "UTC", "\"\" is no cron expression"),
        (
            "0 3 * * *",
            "Europe/Berln",
            "\"Europe/Berln\" is no time zone: write one such as Europe/Berlin or UTC",
        ),
        ("0 3 * * *", "", "\"\" is no time zone: write one such as Europe/Berlin or UTC"),
        ("0 0 30 2 *", "UTC", "\"0 0 30 2 *\" names no time that will come"),
    ] {
        let error = cron(expression, zone).expect_err(expression);
        assert_eq!(error.to_string(), text);
        assert_eq!(error.source().is_none(), text.contains("will come"), "{error:?}");
    }
}
