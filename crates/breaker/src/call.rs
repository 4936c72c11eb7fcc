//! A call through a breaker.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::{
    breaker::Breaker,
    permit::{Outcome, Permit},
    rejected::Error,
};

pin_project! {
    /// The future of [`Breaker::call`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Call<'a, F, C = Unclassified> {
        breaker: &'a Breaker,
        #[pin]
        future: F,
        permit: Option<Permit<'a>>,
        classify: C,
    }
}

/// An `Err` is a failure.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unclassified;

/// Says how a result counts: a closure of [`Call::classify`], or nobody.
pub trait Classify<T, E> {
    #[doc(hidden)]
    fn outcome(&mut self, result: Result<&T, &E>) -> Outcome;
}

impl<T, E> Classify<T, E> for Unclassified {
    fn outcome(&mut self, result: Result<&T, &E>) -> Outcome {
        if result.is_ok() { Outcome::Success } else { Outcome::Failure }
    }
}

impl<T, E, C: FnMut(Result<&T, &E>) -> Outcome> Classify<T, E> for C {
    fn outcome(&mut self, result: Result<&T, &E>) -> Outcome {
        self(result)
    }
}

impl<'a, F> Call<'a, F> {
    pub(crate) fn new(breaker: &'a Breaker, future: F) -> Call<'a, F> {
        Call { breaker, future, permit: None, classify: Unclassified }
    }

    /// How a result counts. A client's own mistakes are no failures of the dependency: a 404 is a [`Success`](Outcome::Success).
    pub fn classify<C, T, E>(self, classify: C) -> Call<'a, F, C>
    where
        F: Future<Output = Result<T, E>>,
        C: FnMut(Result<&T, &E>) -> Outcome,
    {
        Call { breaker: self.breaker, future: self.future, permit: self.permit, classify }
    }
}

impl<F, C, T, E> Future for Call<'_, F, C>
where
    F: Future<Output = Result<T, E>>,
    C: Classify<T, E>,
{
    type Output = Result<T, Error<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // Held here during the poll, so that a panic drops it while the thread is panicking, whoever catches that.
        let permit = match this.permit.take() {
            Some(permit) => permit,
            None => match this.breaker.try_acquire() {
                Ok(permit) => permit,
                Err(rejected) => return Poll::Ready(Err(Error::Rejected(rejected))),
            },
        };
        let Poll::Ready(result) = this.future.poll(cx) else {
            *this.permit = Some(permit);
            return Poll::Pending;
        };
        permit.record(this.classify.outcome(result.as_ref()));
        Poll::Ready(result.map_err(Error::Inner))
    }
}

impl<F, C> fmt::Debug for Call<'_, F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("permit", &self.permit).finish_non_exhaustive()
    }
}
