//! What comes of asking.

use std::{borrow::Cow, error, fmt, time::Duration};

use crate::algorithm::nanos::Nanos;

/// Permission for one request, or for as many as were asked for.
#[derive(Debug)]
#[non_exhaustive]
pub struct Granted {
    /// How many are allowed at once.
    pub limit: u32,
    /// How many more were allowed when this was granted, or when a place in the future was taken.
    pub remaining: u32,
    /// How long after that all of the limit would be there again, if nothing else came.
    pub reset_after: Duration,
    /// In how much time.
    #[cfg_attr(not(feature = "tower"), expect(dead_code, reason = "for the headers"))]
    pub(crate) time: Nanos,
    pub(crate) receipt: Receipt,
}

/// What a grant is known by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receipt {
    pub(crate) hash: u64,
    pub(crate) mark: u64,
    pub(crate) n: u32,
    /// Of the limit by which it was granted.
    pub(crate) version: u32,
    /// How long until it may be used.
    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "nobody waits without"))]
    pub(crate) wait: Nanos,
}

/// No permission. Nothing was counted.
///
/// The key is not in here, so none gets into a log or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Denied {
    /// The limiter's name.
    pub name: Cow<'static, str>,
    /// Why.
    pub why: Why,
    /// How many are allowed at once.
    pub limit: u32,
    /// How many fewer would have been allowed.
    pub remaining: u32,
    /// How long until all of the limit is there again, if nothing else comes.
    pub reset_after: Duration,
    /// How long until it would have been granted, if nothing else comes. `None`: never.
    pub retry_after: Option<Duration>,
    /// In how much time the limit is allowed.
    pub(crate) time: Nanos,
}

/// Why something is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// The limit is used up.
    Limit,
    /// More at once than the limit ever allows. Asking again is of no use, unless the limit is changed.
    TooMany,
    /// There is no room for another key: [`WhenFull::Deny`](crate::WhenFull::Deny).
    Full,
    /// Its turn comes later than the caller would wait.
    TooLate,
}

/// What is left of a key's limit at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// How many are allowed at once.
    pub limit: u32,
    /// How many more are allowed now.
    pub remaining: u32,
    /// How long until all of the limit is there again, if nothing else comes.
    pub reset_after: Duration,
    /// How long until one more is allowed: 0 if it is now.
    pub retry_after: Duration,
}

impl error::Error for Denied {}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Denied { name, limit, .. } = self;
        let problem = match self.why {
            Why::Limit => "is used up",
            Why::TooMany => {
                return write!(
                    f,
                    "rate limit '{name}' never allows more than {limit} at once: ask for fewer"
                );
            }
            Why::Full => "has no room for another key",
            Why::TooLate => "has no place in the time that was given",
        };
        write!(f, "rate limit '{name}' {problem}")?;
        match self.retry_after {
            Some(time) => write!(f, ": try again in {:.3} s", time.as_secs_f64()),
            None => Ok(()),
        }
    }
}
