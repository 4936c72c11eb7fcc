//! Times of day, in a time zone.

use std::{
    error::Error,
    fmt,
    str::FromStr as _,
    time::{Duration, SystemTime},
};

use jiff::{Timestamp, Zoned, tz::TimeZone};
use tokio::time::Instant;

use crate::{
    periodic::{Missed, Periodic, Rhythm, WallClock},
    random::Random,
    timetable::Due,
};

/// How often the wall clock is compared with the plan, since it may be set while a timer runs.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// A clock that goes back further than this was wrong before, as cron(8) has it; a smaller step repeats no run.
const CORRECTION: Duration = Duration::from_secs(3 * 60 * 60);

/// The most occurrences that are counted when many were missed.
const MOST_MISSED: u64 = 10_000;

/// Repeats a task at the times that a cron expression names, in an IANA time zone.
///
/// The expression has five fields (minute, hour, day of month, month, day of week), or six with seconds in front, and takes
/// the extensions of [croner](https://docs.rs/croner): names, `L`, `W`, `#`, `@daily` and the like. The zone is compiled in and named
/// as in `Europe/Berlin` or `UTC`; there is no default, since "at three" without one has meant something else on the other server.
///
/// Where clocks are set forward, a fixed time in the gap runs once, at the first instant after it; where they are set back, it
/// runs at the first of the two. A wall clock that is set is noticed within a minute; set back by up to three hours, it repeats
/// no run.
///
/// ```
/// # fn main() -> Result<(), underpin_periodic::CronError> {
/// let report = underpin_periodic::cron("0 3 * * *", "Europe/Berlin")?.named("report");
/// assert!(underpin_periodic::cron("0 0 30 2 *", "UTC").is_err(), "there is no 30th of February");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If the expression or the zone is not valid, or if the expression names no time that will come.
pub fn cron(expression: &str, zone: &str) -> Result<Periodic, CronError> {
    let error = |what, cause| CronError { what, text: expression.to_owned(), cause };
    let pattern = croner::Cron::from_str(expression)
        .map_err(|cause| error("is no cron expression", Some(cause.into())))?;
    let time_zone = TimeZone::get(zone).map_err(|cause| CronError {
        what: "is no time zone: write one such as Europe/Berlin or UTC",
        text: zone.to_owned(),
        cause: Some(cause.into()),
    })?;
    let cron = Cron { pattern: Box::new(pattern), time_zone };
    if cron.after(Timestamp::now()).is_none() {
        return Err(error("names no time that will come", None));
    }
    Ok(Periodic::new(Rhythm::Cron(cron)))
}

/// Why a cron expression or its time zone cannot be used.
#[derive(Debug)]
pub struct CronError {
    what: &'static str,
    text: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.text, self.what)
    }
}

impl Error for CronError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// A cron expression in its zone.
#[derive(Debug)]
pub(crate) struct Cron {
    pattern: Box<croner::Cron>,
    time_zone: TimeZone,
}

impl Cron {
    /// The first time after `time`.
    fn after(&self, time: Timestamp) -> Option<Timestamp> {
        let zoned: Zoned = time.to_zoned(self.time_zone.clone());
        self.pattern.find_next_occurrence(&zoned, false).ok().map(|next| next.timestamp())
    }
}

/// The times of a cron expression, on a wall clock that may be set.
pub(crate) struct Calendar {
    cron: Cron,
    clock: WallClock,
    missed: Missed,
    jitter: f64,
    random: Random,
    /// The time that comes next; none where the expression has no further time.
    next: Option<Timestamp>,
    /// How much later than that the tick comes.
    delay: Duration,
    /// The first run was asked for at once.
    first: Option<Instant>,
    /// The last time that the wall clock showed.
    seen: Timestamp,
    look_again: Instant,
}

impl Calendar {
    pub(crate) fn new(
        cron: Cron,
        clock: WallClock,
        now: Instant,
        first: Option<Instant>,
        missed: Missed,
        jitter: f64,
        random: Random,
    ) -> Calendar {
        let seen = read(&clock);
        let mut calendar = Calendar {
            cron,
            clock,
            missed,
            jitter,
            random,
            next: None,
            delay: Duration::ZERO,
            first,
            seen,
            look_again: now,
        };
        calendar.plan(seen);
        calendar.set_alarm(now);
        calendar
    }

    pub(crate) fn look_again(&self) -> Instant {
        self.first.unwrap_or(self.look_again)
    }

    pub(crate) fn take(&mut self, now: Instant) -> Option<Due> {
        if let Some(first) = self.first.take() {
            return Some(Due { at: first, missed: 0 });
        }
        if now < self.look_again {
            return None;
        }
        let wall = read(&self.clock);
        if between(wall, self.seen) > CORRECTION {
            self.plan(wall);
        }
        self.seen = wall;
        let due = self.next.filter(|next| between(*next, wall) >= self.delay && wall >= *next);
        let taken = due.map(|next| {
            let late = between(next, wall).saturating_sub(self.delay);
            let at = now.checked_sub(late).unwrap_or(now);
            let missed = if self.missed == Missed::Burst {
                self.plan(next);
                0
            } else {
                let missed = self.count(next, wall);
                self.plan(wall);
                missed
            };
            Due { at, missed }
        });
        self.set_alarm(now);
        taken
    }

    /// Lets no tick come before `wait` has passed.
    pub(crate) fn hold(&mut self, now: Instant, wait: Duration) {
        self.seen = read(&self.clock);
        let held = self.seen.checked_add(wait).unwrap_or(Timestamp::MAX);
        if self.next.is_some_and(|next| next < held) {
            self.plan(held);
            self.set_alarm(now);
        }
    }

    /// Goes on to the first time after `time`.
    fn plan(&mut self, time: Timestamp) {
        self.next = self.cron.after(time);
        self.delay = Duration::ZERO;
        if self.jitter > 0.0
            && let Some(next) = self.next
            && let Some(after) = self.cron.after(next)
        {
            self.delay = between(next, after).mul_f64(self.jitter * self.random.unit());
        }
    }

    /// How many times there are after `from`, up to `to`.
    fn count(&self, from: Timestamp, to: Timestamp) -> u64 {
        let mut count = 0;
        let mut time = from;
        while let Some(next) = self.cron.after(time).filter(|next| *next <= to) {
            time = next;
            count += 1;
            if count == MOST_MISSED {
                break;
            }
        }
        count
    }

    fn set_alarm(&mut self, now: Instant) {
        let wait = self.next.map_or(LOOK_AGAIN, |next| between(self.seen, next) + self.delay);
        self.look_again = now + wait.min(LOOK_AGAIN);
    }
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calendar").field("next", &self.next).finish_non_exhaustive()
    }
}

/// A wall clock beyond what a calendar can hold is not set at all.
fn read(clock: &WallClock) -> Timestamp {
    let time: SystemTime = clock();
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The time from `a` to `b`; none where `b` is earlier.
fn between(a: Timestamp, b: Timestamp) -> Duration {
    Duration::try_from(b.duration_since(a)).unwrap_or(Duration::ZERO)
}
