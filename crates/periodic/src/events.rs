//! What is logged, with stable names and fields; nothing without the feature `tracing`.

use std::time::Duration;

#[cfg(feature = "tracing")]
mod sink {
    use super::Duration;

    /// Milliseconds in a log are for people; metrics use seconds.
    fn millis(duration: Duration) -> u64 {
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn completed(task: &str, duration: Duration) {
        tracing::info!(task, duration_ms = millis(duration), "periodic task completed");
    }

    pub(crate) fn failed(task: &str, error: &str, duration: Duration) {
        tracing::error!(task, error, duration_ms = millis(duration), "periodic task failed");
    }

    pub(crate) fn skipped(task: &str) {
        tracing::warn!(task, "periodic task skipped: the previous run is still active");
    }

    pub(crate) fn missed(task: &str, ticks: u64) {
        tracing::warn!(task, ticks, "periodic task missed ticks: the process did not run");
    }
}

#[cfg(not(feature = "tracing"))]
mod sink {
    use super::Duration;

    pub(crate) fn completed(_: &str, _: Duration) {}

    pub(crate) fn failed(_: &str, _: &str, _: Duration) {}

    pub(crate) fn skipped(_: &str) {}

    pub(crate) fn missed(_: &str, _: u64) {}
}

pub(crate) use sink::{completed, failed, missed, skipped};
