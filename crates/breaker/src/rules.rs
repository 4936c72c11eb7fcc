//! What opens a breaker, and what closes it again.

use std::time::Duration;

/// What the machine goes by.
pub(crate) struct Rules {
    /// Failures in a row that open it.
    pub(crate) consecutive: Option<u64>,
    pub(crate) rate: Option<Rate>,
    pub(crate) rate_over: Option<RateOver>,
    /// How long it stays open, at the nth time in a row.
    pub(crate) open: Box<dyn Fn(u32) -> Duration + Send + Sync>,
    /// The longest that a failure may ask for.
    pub(crate) longest: Duration,
    /// Successes that close it.
    pub(crate) successes: u64,
    pub(crate) concurrent: u64,
    /// How long a probe may hold its place.
    pub(crate) probe_timeout: Duration,
}

/// A rate of failures among the last calls that opens it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// In millionths.
    pub(crate) failures: u32,
    pub(crate) last: u32,
    pub(crate) least: u32,
}

/// A rate of failures among the calls of the last while that opens it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateOver {
    /// In millionths.
    pub(crate) failures: u32,
    pub(crate) time: Duration,
    pub(crate) least: u32,
}

impl Rate {
    pub(crate) fn is_met(self, failed: u64, calls: u64) -> bool {
        is_met(self.failures, self.least, failed, calls)
    }
}

impl RateOver {
    pub(crate) fn is_met(self, failed: u64, calls: u64) -> bool {
        is_met(self.failures, self.least, failed, calls)
    }
}

/// Whether so many failures, in millionths of the calls, are too many, given that there are enough calls.
fn is_met(rate: u32, least: u32, failed: u64, calls: u64) -> bool {
    calls >= least.into() && failed * 1_000_000 >= u64::from(rate) * calls
}
