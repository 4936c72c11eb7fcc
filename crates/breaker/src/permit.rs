//! Permission for one call, and how it went.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::{breaker::Breaker, circuit::Ticket};

/// How a call went, for the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The dependency did what it is there for, if only to say no: a 404 is a success.
    Success,
    /// It did not.
    Failure,
    /// It did not, and said for how long: a `Retry-After`. If this failure opens the breaker, it stays open for as long, within
    /// [`Builder::open_at_most`](crate::Builder::open_at_most).
    FailureFor(Duration),
    /// It says nothing about the dependency: our own mistake, a rate limit of our own.
    Ignore,
}

/// What became of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recorded {
    /// It was counted, and nothing has changed.
    Counted,
    /// It was not meant to be counted.
    Ignored,
    /// It came too late: the breaker has changed since the call began, so it has no say.
    Stale,
    /// It has opened the breaker.
    Tripped,
    /// It has closed the breaker.
    Closed,
}

/// Permission for one call. It has to be told how the call went.
///
/// Dropped without that, it is neutral: a cancelled call says nothing about the dependency. Two exceptions: if the call has taken longer
/// than [`slow`](crate::Builder::slow), it is a failure, for a caller that gives up is all that a dependency that hangs ever produces; and if the thread is
/// panicking, it is one too.
#[must_use = "a call whose end is not recorded is neutral"]
pub struct Permit<'a> {
    breaker: &'a Breaker,
    /// `None`: nothing is counted.
    ticket: Option<Ticket>,
    began: Option<Instant>,
}

impl<'a> Permit<'a> {
    #[inline]
    pub(crate) fn new(
        breaker: &'a Breaker,
        ticket: Option<Ticket>,
        began: Option<Instant>,
    ) -> Permit<'a> {
        Permit { breaker, ticket, began }
    }

    /// The dependency answered. Slower than [`slow`](crate::Builder::slow), it is a failure.
    #[inline]
    pub fn success(self) -> Recorded {
        self.record(Outcome::Success)
    }

    /// The dependency did not do what it is there for.
    pub fn failure(self) -> Recorded {
        self.record(Outcome::Failure)
    }

    /// How it went.
    #[inline]
    pub fn record(self, outcome: Outcome) -> Recorded {
        self.finish(outcome, None)
    }

    /// The same, at a time of the caller's: for tests.
    pub fn record_at(self, outcome: Outcome, now: Instant) -> Recorded {
        self.finish(outcome, Some(now))
    }

    /// Whether the dependency is being tried again by this call.
    pub fn is_probe(&self) -> bool {
        self.ticket.is_some_and(|ticket| ticket.is_probe)
    }

    #[expect(
        clippy::inline_always,
        reason = "the compiler deems it too long, but for the usual call most of it is known to be dead"
    )]
    #[inline(always)]
    fn finish(mut self, outcome: Outcome, now: Option<Instant>) -> Recorded {
        let Some(ticket) = self.ticket.take() else { return Recorded::Ignored };
        self.breaker.record(ticket, outcome, self.began, now)
    }

    /// The same for a call that outlives the reference.
    pub(crate) fn into_owned(mut self) -> OwnedPermit {
        OwnedPermit { breaker: self.breaker.clone(), ticket: self.ticket.take(), began: self.began }
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.give_up(ticket, self.began);
        }
    }
}

/// A [`Permit`] that holds the breaker: [`Breaker::try_acquire_owned`].
#[must_use = "a call whose end is not recorded is neutral"]
pub struct OwnedPermit {
    breaker: Breaker,
    ticket: Option<Ticket>,
    began: Option<Instant>,
}

impl OwnedPermit {
    /// As [`Permit::success`].
    pub fn success(self) -> Recorded {
        self.record(Outcome::Success)
    }

    /// As [`Permit::failure`].
    pub fn failure(self) -> Recorded {
        self.record(Outcome::Failure)
    }

    /// As [`Permit::record`].
    pub fn record(mut self, outcome: Outcome) -> Recorded {
        self.borrow().record(outcome)
    }

    /// As [`Permit::is_probe`].
    pub fn is_probe(&self) -> bool {
        self.ticket.is_some_and(|ticket| ticket.is_probe)
    }

    fn borrow(&mut self) -> Permit<'_> {
        Permit { breaker: &self.breaker, ticket: self.ticket.take(), began: self.began }
    }
}

impl Drop for OwnedPermit {
    fn drop(&mut self) {
        drop(self.borrow());
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("is_probe", &self.is_probe()).finish_non_exhaustive()
    }
}

impl fmt::Debug for OwnedPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit").field("is_probe", &self.is_probe()).finish_non_exhaustive()
    }
}
