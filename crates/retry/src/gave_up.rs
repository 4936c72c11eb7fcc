//! Why no further attempt was made.

use std::{error::Error, fmt, time::Duration};

/// The operation has failed, and is not tried again.
///
/// Whoever sees this knows that the retries are used up: a caller that retries as well multiplies them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GaveUp<E> {
    /// The error of the last attempt.
    pub last: E,
    /// How many attempts there were, the first included.
    pub attempts: u32,
    /// The time since the first, waits included.
    pub elapsed: Duration,
    /// What the next attempt was not made for.
    pub why: Why,
}

/// What the next attempt was not made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The error is one that stays: [`Run::when`](crate::Run::when) said so.
    Final,
    /// As many attempts as there may be were made.
    Attempts,
    /// The next attempt would have begun too late.
    Deadline,
    /// All callers together have retried as much as they may.
    Budget,
}

impl<E> GaveUp<E> {
    /// The error of the last attempt, for those who do not ask how it came.
    pub fn into_last(self) -> E {
        self.last
    }
}

impl<E: Error + 'static> Error for GaveUp<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.last)
    }
}

impl<E> fmt::Display for GaveUp<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.attempts == 1 { "attempt" } else { "attempts" };
        let elapsed = self.elapsed.as_secs_f64();
        write!(f, "gave up after {} {plural} in {elapsed:.3} s: {}", self.attempts, self.why)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Final => "the error is final",
            Why::Attempts => "no attempts are left",
            Why::Deadline => "no time is left",
            Why::Budget => "the retry budget is used up",
        })
    }
}
