//! An operation that has only so long.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::{
    task::coop,
    time::{Sleep, sleep},
};

pin_project! {
    /// `Err` with the limit, once it has passed.
    pub(super) struct Timed<Fut> {
        #[pin]
        operation: Fut,
        #[pin]
        alarm: Option<Sleep>,
        limit: Duration,
    }
}

impl<Fut> Timed<Fut> {
    /// Without a limit no timer is needed, nor a runtime that has one.
    pub(super) fn new(operation: Fut, limit: Option<Duration>) -> Timed<Fut> {
        Timed { operation, alarm: limit.map(sleep), limit: limit.unwrap_or(Duration::MAX) }
    }
}

impl<Fut: Future> Future for Timed<Fut> {
    type Output = Result<Fut::Output, Duration>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // The operation first: what is done in time is a result, however late somebody looks.
        if let Poll::Ready(output) = this.operation.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let Some(alarm) = this.alarm.as_pin_mut() else {
            return Poll::Pending;
        };
        // An operation that uses the task's whole budget in every poll would leave none for its own alarm.
        let rang = if coop::has_budget_remaining() {
            alarm.poll(cx)
        } else {
            Pin::new(&mut coop::unconstrained(alarm)).poll(cx)
        };
        rang.map(|()| Err(*this.limit))
    }
}
