//! How a task is repeated.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    outcome::IntoOutcome,
    random::Random,
    schedule::{Schedule, Shared},
    scheduler::{Scheduler, Tick},
    timetable::Timetable,
};

pub(crate) type Backoff = Box<dyn Fn(u32) -> Duration + Send>;
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
    Periodic {
        period,
        name: "periodic".to_owned(),
        immediately: false,
        jitter: 0.0,
        seed: None,
        overlap: Overlap::Skip,
        missed: Missed::Skip,
        timeout: None,
        backoff: None,
        stop: None,
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

/// A task to be repeated, until [`spawn`](Periodic::spawn) starts it.
#[must_use = "nothing runs before `spawn`"]
pub struct Periodic {
    pub(crate) period: Duration,
    pub(crate) name: String,
    immediately: bool,
    jitter: f64,
    seed: Option<u64>,
    pub(crate) overlap: Overlap,
    missed: Missed,
    pub(crate) timeout: Option<Duration>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) stop: Option<Stop>,
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
    /// than the period would.
    pub fn backoff(self, backoff: impl Fn(u32) -> Duration + Send + 'static) -> Periodic {
        Periodic { backoff: Some(Box::new(backoff)), ..self }
    }

    /// Stops when `stop` resolves: nothing more is started, and an active run ends in its own time.
    pub fn until(self, stop: impl Future<Output = ()> + Send + 'static) -> Periodic {
        Periodic { stop: Some(Box::pin(stop)), ..self }
    }

    /// Starts the schedule: one task for the schedule itself, one for each active run, on the runtime that this is called on.
    ///
    /// A run that panics or returns an error is counted and logged, and the next one starts at its time.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with time enabled.
    pub fn spawn<F, Fut, T>(mut self, run: F) -> Schedule
    where
        F: FnMut(Tick) -> Fut + Send + 'static,
        Fut: Future<Output = T> + Send + 'static,
        T: IntoOutcome + 'static,
    {
        let now = Instant::now();
        let first = if self.immediately { now } else { now + self.period };
        let random = self.seed.map_or_else(Random::from_process, Random::new);
        let timetable = Timetable::new(first, self.period, self.missed, self.jitter, random);
        let stop = self.stop.take().unwrap_or_else(|| Box::pin(std::future::pending()));
        let shared = Arc::new(Shared::default());
        let scheduler = Scheduler::new(self, timetable, stop, Arc::clone(&shared), run);
        Schedule::new(shared, tokio::spawn(scheduler.run()))
    }
}

impl fmt::Debug for Periodic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Periodic")
            .field("name", &self.name)
            .field("period", &self.period)
            .field("overlap", &self.overlap)
            .field("missed", &self.missed)
            .finish_non_exhaustive()
    }
}
