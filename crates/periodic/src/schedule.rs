//! The handle of a task that is being repeated.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{sync::Notify, task::JoinHandle};

use crate::stats::Stats;

/// A task that is being repeated. Dropping it cancels the active run and starts no further one.
#[must_use = "dropping the schedule cancels it"]
#[derive(Debug)]
pub struct Schedule {
    shared: Arc<Shared>,
    scheduler: JoinHandle<()>,
}

/// What the handle and the scheduler have in common.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    control: Mutex<Control>,
    stats: Mutex<Stats>,
    /// Notified when `control` has changed.
    pub(crate) changed: Notify,
}

/// What the handle wants.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Control {
    pub(crate) is_paused: bool,
    /// A run is wanted now. Several wishes before the scheduler sees the first are one.
    pub(crate) wants_run: bool,
    pub(crate) ending: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Ending {
    #[default]
    No,
    /// When the active runs have ended.
    Gracefully,
    Now,
}

impl Schedule {
    pub(crate) fn new(shared: Arc<Shared>, scheduler: JoinHandle<()>) -> Schedule {
        Schedule { shared, scheduler }
    }

    /// Starts nothing more, waits until the active runs have ended, and says what was done.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the schedule, which cancels the active runs.
    pub async fn stop(self) -> Stats {
        self.end(Ending::Gracefully).await
    }

    /// Cancels the active runs and starts nothing more; when it returns, their futures have been dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the schedule, which cancels all the same.
    pub async fn stop_now(self) -> Stats {
        self.end(Ending::Now).await
    }

    /// Waits until the schedule has ended by itself, as [`until`](crate::Periodic::until) makes it, and says what was done.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the schedule, which cancels the active runs.
    pub async fn stopped(mut self) -> Stats {
        self.join().await
    }

    /// Starts a run now, as if a tick were due: while one is active, what [`Overlap`](crate::Overlap) says happens. The grid does not move.
    pub fn run_now(&self) {
        self.shared.change(|control| control.wants_run = true);
    }

    /// Lets ticks pass unused until [`resume`](Schedule::resume). An active run goes on.
    pub fn pause(&self) {
        self.shared.change(|control| control.is_paused = true);
    }

    /// Uses ticks again, on the same grid.
    pub fn resume(&self) {
        self.shared.change(|control| control.is_paused = false);
    }

    /// What was done so far.
    pub fn stats(&self) -> Stats {
        *self.shared.stats()
    }

    async fn end(mut self, ending: Ending) -> Stats {
        self.shared.change(|control| control.ending = control.ending.max(ending));
        self.join().await
    }

    async fn join(&mut self) -> Stats {
        // The scheduler catches the panics of runs; it ends early only with its runtime.
        let _ = (&mut self.scheduler).await;
        self.stats()
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.scheduler.abort();
    }
}

impl Shared {
    pub(crate) fn control(&self) -> Control {
        *lock(&self.control)
    }

    /// Changes what the handle wants, and tells the scheduler.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Control)) {
        change(&mut lock(&self.control));
        self.changed.notify_one();
    }

    /// Takes the wish for a run, if there is one.
    pub(crate) fn take_run(&self) -> bool {
        std::mem::take(&mut lock(&self.control).wants_run)
    }

    pub(crate) fn stats(&self) -> MutexGuard<'_, Stats> {
        lock(&self.stats)
    }
}

/// Both hold plain numbers and flags, which a panic cannot leave half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
