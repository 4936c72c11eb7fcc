//! How a task is repeated.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

#[cfg(feature = "cron")]
use crate::cron::Calendar;
use crate::{
    outcome::IntoOutcome,
    random::Random,
    schedule::{Schedule, Shared},
    scheduler::{Scheduler, Tick},
    timetable::{Grid, Timetable, later},
};

pub(crate) type Backoff = Box<dyn Fn(u32) -> Duration + Send>;
pub(crate) type WallClock = Box<dyn Fn() -> SystemTime + Send>;
pub(crate) type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Repeats a task every `period`.
///
/// The first run starts after one period, unless [`immediately`](Periodic::immediately) is asked for.
///
/// # Panics
///
/// If `period` is zero.
pub fn every(period: Duration) -> Periodic {
    assert!(!period.is_zero(), "a period must be longer than zero");
    Periodic::new(Rhythm::Every(period))
}

/// What the ticks follow.
#[derive(Debug)]
pub(crate) enum Rhythm {
    Every(Duration),
    #[cfg(feature = "cron")]
    Cron(crate::cron::Cron),
}

impl Periodic {
    pub(crate) fn new(rhythm: Rhythm) -> Periodic {
        Periodic {
            rhythm,
            name: "periodic".to_owned(),
            immediately: false,
            jitter: 0.0,
            seed: None,
            overlap: Overlap::Skip,
            missed: Missed::Skip,
            timeout: None,
            backoff: None,
            stop: None,
            wall_clock: Box::new(SystemTime::now),
        }
    }
}

/// What happens on a tick while a run is still active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlap {
    /// Nothing starts, with a warning. The default.
    #[default]
    Skip,
    /// The period counts from the end of one run to the start of the next, so that there is no such tick.
    Delay,
    /// One run is kept waiting and starts when the active one ends; further ticks are skipped.
    Queue,
    /// Up to that many runs are active at once; further ticks are skipped.
    Concurrent(usize),
}

/// What happens to ticks that passed while the process was suspended or its runtime blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missed {
    /// One run makes up for all of them, and the ticks after it are on the old grid. The default.
    #[default]
    Skip,
    /// Each of them is made up for at once, as far as [`Overlap`] allows.
    Burst,
    /// One run makes up for all of them, and the period counts anew from it.
    Realign,
}

/// How runs are started and what their ends mean.
pub(crate) struct Manner {
    pub(crate) name: String,
    pub(crate) overlap: Overlap,
    pub(crate) timeout: Option<Duration>,
    pub(crate) backoff: Option<Backoff>,
}

/// A task to be repeated, until [`spawn`](Periodic::spawn) starts it.
#[must_use = "nothing runs before `spawn`"]
pub struct Periodic {
    rhythm: Rhythm,
    name: String,
    immediately: bool,
    jitter: f64,
    seed: Option<u64>,
    overlap: Overlap,
    missed: Missed,
    timeout: Option<Duration>,
    backoff: Option<Backoff>,
    stop: Option<Stop>,
    #[cfg_attr(not(feature = "cron"), expect(dead_code, reason = "only times of day need it"))]
    wall_clock: WallClock,
}

impl Periodic {
    /// The name that events carry; `periodic` otherwise.
    pub fn named(self, name: impl Into<String>) -> Periodic {
        Periodic { name: name.into(), ..self }
    }

    /// Starts the first run at once, not after one period.
    pub fn immediately(self) -> Periodic {
        Periodic { immediately: true, ..self }
    }

    /// Lets each tick come later by a random part of the period, up to `ratio` of it, so that replicas do not act in step. The grid itself
    /// does not drift.
    ///
    /// # Panics
    ///
    /// If `ratio` is not from 0 to 1.
    pub fn jitter(self, ratio: f64) -> Periodic {
        assert!((0.0..=1.0).contains(&ratio), "the ratio of a jitter must be from 0 to 1");
        Periodic { jitter: ratio, ..self }
    }

    /// Makes the jitter the same in every process: for tests.
    pub fn seed(self, seed: u64) -> Periodic {
        Periodic { seed: Some(seed), ..self }
    }

    /// What happens on a tick while a run is still active: [`Overlap::Skip`] otherwise.
    ///
    /// # Panics
    ///
    /// If it is `Overlap::Concurrent(0)`.
    pub fn overlap(self, overlap: Overlap) -> Periodic {
        assert_ne!(overlap, Overlap::Concurrent(0), "at least one run must be allowed at once");
        Periodic { overlap, ..self }
    }

    /// What happens to ticks that passed unseen: [`Missed::Skip`] otherwise.
    pub fn missed(self, missed: Missed) -> Periodic {
        Periodic { missed, ..self }
    }

    /// Drops a run that takes longer. No limit otherwise.
    pub fn timeout(self, timeout: Duration) -> Periodic {
        Periodic { timeout: Some(timeout), ..self }
    }

    /// After `n` runs in a row that did not end well, puts the next tick `backoff(n)` after the end of the last one, if that is later
    /// than the period would. A run that was [queued](Overlap::Queue) meanwhile is skipped.
    pub fn backoff(self, backoff: impl Fn(u32) -> Duration + Send + 'static) -> Periodic {
        Periodic { backoff: Some(Box::new(backoff)), ..self }
    }

    /// Stops when `stop` resolves: nothing more is started, and an active run ends in its own time.
    pub fn until(self, stop: impl Future<Output = ()> + Send + 'static) -> Periodic {
        Periodic { stop: Some(Box::pin(stop)), ..self }
    }

    /// Takes the time of day from `clock`, not from the system: for tests of [`cron`](crate::cron) under paused time.
    #[cfg(feature = "cron")]
    pub fn wall_clock(self, clock: impl Fn() -> SystemTime + Send + 'static) -> Periodic {
        Periodic { wall_clock: Box::new(clock), ..self }
    }

    /// Starts the schedule: one task for the schedule itself, one for each active run, on the runtime that this is called on.
    ///
    /// A run that panics or returns an error is counted and logged, and the next one starts at its time.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with time enabled.
    pub fn spawn<F, Fut, T>(self, run: F) -> Schedule
    where
        F: FnMut(Tick) -> Fut + Send + 'static,
        Fut: Future<Output = T> + Send + 'static,
        T: IntoOutcome + 'static,
    {
        let now = Instant::now();
        let random = self.seed.map_or_else(Random::from_process, Random::new);
        let timetable = match self.rhythm {
            Rhythm::Every(period) => {
                let first = if self.immediately { now } else { later(now, period) };
                Timetable::Every(Grid::new(first, period, self.missed, self.jitter, random))
            }
            #[cfg(feature = "cron")]
            Rhythm::Cron(cron) => {
                let clock = self.wall_clock;
                let first = self.immediately.then_some(now);
                let calendar =
                    Calendar::new(cron, clock, now, first, self.missed, self.jitter, random);
                Timetable::Cron(Box::new(calendar))
            }
        };
        let stop = self.stop.unwrap_or_else(|| Box::pin(std::future::pending()));
        let manner = Manner {
            name: self.name,
            overlap: self.overlap,
            timeout: self.timeout,
            backoff: self.backoff,
        };
        let shared = Arc::new(Shared::default());
        let scheduler = Scheduler::new(manner, timetable, stop, Arc::clone(&shared), run);
        Schedule::new(shared, tokio::spawn(scheduler.run()))
    }
}

impl fmt::Debug for Periodic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Periodic")
            .field("name", &self.name)
            .field("rhythm", &self.rhythm)
            .field("overlap", &self.overlap)
            .field("missed", &self.missed)
            .finish_non_exhaustive()
    }
}
