//! No call was made.

use std::{borrow::Cow, error, fmt, time::Duration};

use crate::breaker::State;

/// The breaker let no call through.
///
/// A server that can do nothing without that call answers 503, and says when to come back:
///
/// ```
/// use underpin_breaker::Rejected;
///
/// fn unavailable(rejected: &Rejected) -> http::Response<String> {
///     let response = http::Response::builder().status(503);
///     let response = match rejected.retry_in {
///         // Up: whoever is told 29 s and comes after them is 0.5 s too early.
///         Some(time) => response.header("retry-after", time.as_secs_f64().ceil().max(1.0).to_string()),
///         None => response,
///     };
///     response.body(rejected.to_string()).expect("it is well formed")
/// }
/// ```
///
/// A service whose errors are faults of `underpin-fault` says it once, with the code that its clients know, and both HTTP and gRPC
/// answers follow from it:
///
/// ```
/// use underpin_breaker::Rejected;
/// use underpin_fault::{Fault, Kind};
///
/// fn circuit_open(rejected: &Rejected) -> Fault {
///     let fault = Fault::new(Kind::Unavailable, "CIRCUIT_OPEN")
///         .message("a service that this needs is down")
///         .expose("breaker", &rejected.name);
///     match rejected.retry_in {
///         Some(time) => fault.retry_after(time),
///         None => fault,
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejected {
    /// The breaker's name.
    pub name: Cow<'static, str>,
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
