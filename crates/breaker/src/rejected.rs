//! No call was made.

use std::{error, fmt, sync::Arc, time::Duration};

use crate::breaker::State;

/// The breaker let no call through.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejected {
    /// The breaker's name.
    pub name: Arc<str>,
    /// What it was: open, half-open with its probes out, or isolated.
    pub state: State,
    /// When it is worth asking again, if time alone makes it so; rounded up to milliseconds.
    pub retry_in: Option<Duration>,
}

/// Why a call through a breaker has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error<E> {
    /// It was not made.
    Rejected(Rejected),
    /// It was made, and failed.
    Inner(E),
}

impl<E> Error<E> {
    /// The call's own error, if it was made.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Error::Rejected(_) => None,
            Error::Inner(error) => Some(error),
        }
    }

    /// Whether no call was made.
    pub fn is_rejected(&self) -> bool {
        matches!(self, Error::Rejected(_))
    }
}

impl error::Error for Rejected {}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "circuit breaker '{}' is {}", self.name, self.state)?;
        match self.retry_in {
            Some(time) => write!(f, ": try again in {:.3} s", time.as_secs_f64()),
            None => Ok(()),
        }
    }
}

impl<E: error::Error + 'static> error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Rejected(_) => None,
            // It speaks for itself, so its causes come next.
            Error::Inner(error) => error.source(),
        }
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Rejected(rejected) => rejected.fmt(f),
            Error::Inner(error) => error.fmt(f),
        }
    }
}
