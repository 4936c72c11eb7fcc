//! What a schedule has done.

use std::time::Duration;

/// What a schedule has done so far. Every tick is counted once: as a run that was started, or as skipped, or as missed; but for
/// those that pass while it is paused, and one that is queued when it is stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Runs that were started.
    pub started: u64,
    /// Runs that ended well.
    pub succeeded: u64,
    /// Runs that returned an error.
    pub failed: u64,
    /// Runs that panicked.
    pub panicked: u64,
    /// Runs that were dropped at their timeout.
    pub timed_out: u64,
    /// Runs that were cancelled by `stop_now` or by dropping the schedule.
    pub cancelled: u64,
    /// Ticks on which nothing was started, since a run was still active.
    pub skipped: u64,
    /// Ticks that passed while the scheduler itself could not run: the process was suspended, or its runtime blocked.
    pub missed: u64,
    /// Runs that did not end well since the last one that did.
    pub consecutive_failures: u32,
    /// How long the last run that ended took.
    pub last_duration: Option<Duration>,
}
