//! An operation whose panic is its own.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::failure::{Failure, Panic};

pin_project! {
    /// Turns a panic while it is made, polled or dropped into a [`Failure`].
    pub(crate) struct Contained<Fut> {
        #[pin]
        operation: Option<Fut>,
        panic: Option<Panic>,
    }
}

impl<Fut> Contained<Fut> {
    /// Unwind safety is asserted because what panicked is dropped and never polled again; what it shares with others is theirs to
    /// protect, as it is between threads.
    pub(crate) fn start(make: impl FnOnce() -> Fut) -> Contained<Fut> {
        match catch_unwind(AssertUnwindSafe(make)) {
            Ok(operation) => Contained { operation: Some(operation), panic: None },
            Err(payload) => Contained { operation: None, panic: Some(Panic::new(payload)) },
        }
    }
}

impl<Fut: Future> Future for Contained<Fut> {
    type Output = Result<Fut::Output, Failure<Infallible>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polled =
            catch_unwind(AssertUnwindSafe(|| match this.operation.as_mut().as_pin_mut() {
                Some(operation) => operation.poll(cx),
                None => Poll::Pending,
            }));
        let output = match polled {
            Ok(Poll::Ready(output)) => Some(output),
            Ok(Poll::Pending) if this.panic.is_none() => return Poll::Pending,
            Ok(Poll::Pending) => None,
            Err(payload) => {
                *this.panic = Some(Panic::new(payload));
                None
            }
        };
        // Dropped here, because a destructor may panic too. Of two panics the first is told.
        let dropped = catch_unwind(AssertUnwindSafe(|| this.operation.set(None)));
        let panic = this.panic.take().or_else(|| dropped.err().map(Panic::new));
        Poll::Ready(match (output, panic) {
            (Some(output), None) => Ok(output),
            (_, Some(panic)) => Err(Failure::Panicked(panic)),
            (None, None) => Err(Failure::Cancelled),
        })
    }
}
