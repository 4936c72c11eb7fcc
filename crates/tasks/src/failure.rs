//! How an operation can end without a result.

use std::{
    any::Any,
    convert::Infallible,
    error::Error,
    fmt,
    panic::resume_unwind,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The result of one operation that nothing else could disturb.
pub type Settled<T, E> = Result<T, Failure<E>>;

/// Why there is no result.
#[derive(Debug)]
pub enum Failure<E> {
    /// The operation returned an error.
    Error(E),
    /// The operation panicked.
    Panicked(Panic),
    /// The operation took longer than this, and was dropped.
    TimedOut(Duration),
    /// The operation was dropped unfinished, or never started.
    Cancelled,
}

impl<E> Failure<E> {
    /// The operation's own error, if that is what it was.
    pub fn into_error(self) -> Option<E> {
        match self {
            Failure::Error(error) => Some(error),
            Failure::Panicked(_) | Failure::TimedOut(_) | Failure::Cancelled => None,
        }
    }
}

impl Failure<Infallible> {
    /// The same failure of an operation that can also return an error.
    pub(crate) fn widen<E>(self) -> Failure<E> {
        match self {
            Failure::Error(never) => match never {},
            Failure::Panicked(panic) => Failure::Panicked(panic),
            Failure::TimedOut(limit) => Failure::TimedOut(limit),
            Failure::Cancelled => Failure::Cancelled,
        }
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Error(error) => error.fmt(f),
            Failure::Panicked(panic) => panic.fmt(f),
            Failure::TimedOut(limit) => write!(f, "timed out after {limit:?}"),
            Failure::Cancelled => f.write_str("cancelled before it finished"),
        }
    }
}

impl<E: Error + 'static> Error for Failure<E> {
    /// An operation's own error shows as itself, so this is *its* source.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Failure::Error(error) => error.source(),
            Failure::Panicked(_) | Failure::TimedOut(_) | Failure::Cancelled => None,
        }
    }
}

/// A panic that was caught.
pub struct Panic {
    message: Option<Box<str>>,
    /// Behind a lock because a payload need not be `Sync`, and an error should be.
    payload: Mutex<Box<dyn Any + Send>>,
}

impl Panic {
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Panic {
        let text = payload.downcast_ref::<&'static str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Panic { message: text.map(Box::from), payload: Mutex::new(payload) }
    }

    /// What `panic!` was given, unless it was not text.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// What the panic carried, as [`std::panic::catch_unwind`] returns it.
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.payload.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on panicking, without a second message from the panic hook.
    pub fn resume(self) -> ! {
        resume_unwind(self.into_payload())
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => write!(f, "panicked: {message}"),
            None => f.write_str("panicked"),
        }
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panic").field("message", &self.message).finish_non_exhaustive()
    }
}

impl Error for Panic {}

/// The results of a batch, healthy and failed apart, each with the number of its item.
#[derive(Debug)]
pub struct Split<T, E> {
    /// What succeeded.
    pub healthy: Vec<(usize, T)>,
    /// What did not.
    pub failed: Vec<(usize, Failure<E>)>,
}

/// Parts the results of `settle`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use underpin_tasks::{each, split};
///
/// let settled = each(["1", "x", "3"]).settle(async |text| text.parse::<u32>()).await;
/// let split = split(settled);
/// assert_eq!(split.healthy, [(0, 1), (2, 3)]);
/// assert_eq!(split.failed.len(), 1);
/// assert_eq!(split.failed[0].0, 1);
/// # }
/// ```
pub fn split<T, E>(settled: Vec<Settled<T, E>>) -> Split<T, E> {
    let mut split = Split { healthy: Vec::new(), failed: Vec::new() };
    for (number, result) in settled.into_iter().enumerate() {
        match result {
            Ok(value) => split.healthy.push((number, value)),
            Err(failure) => split.failed.push((number, failure)),
        }
    }
    split
}

/// Tells how much of a batch failed, if any of it did.
pub(crate) fn log_failed<T, E>(results: &[Settled<T, E>]) {
    #[cfg(feature = "tracing")]
    {
        let failed = results.iter().filter(|result| result.is_err()).count();
        if failed > 0 {
            tracing::warn!(target: "underpin_tasks", failed, total = results.len(), "batch settled with failures");
        }
    }
    #[cfg(not(feature = "tracing"))]
    let _ = results;
}
