//! A call that is made again.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{
    gave_up::GaveUp,
    retry::Retry,
    session::{Attempt, Session, Verdict},
};

pin_project! {
    /// The future of [`Retry::run`]. Nothing happens, and no time runs, before its first poll.
    #[must_use = "futures do nothing unless polled"]
    pub struct Run<O, F, C, N> {
        retry: Retry,
        operation: O,
        classify: C,
        on_retry: N,
        session: Option<Session>,
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = Now]
    enum State<F> {
        Between,
        Trying { #[pin] attempt: F },
        Waiting { #[pin] sleep: Sleep },
    }
}

impl<O, F, C, N> Run<O, F, C, N> {
    pub(crate) fn new(retry: Retry, operation: O, classify: C, on_retry: N) -> Run<O, F, C, N> {
        Run { retry, operation, classify, on_retry, session: None, state: State::Between }
    }

    /// Which errors are worth another attempt: a `bool`, or a [`Verdict`] that may also say how long to wait.
    pub fn when<W, V, T, E>(self, classify: W) -> Run<O, F, W, N>
    where
        F: Future<Output = Result<T, E>>,
        W: FnMut(&E) -> V,
        V: Into<Verdict>,
    {
        Run::new(self.retry, self.operation, classify, self.on_retry)
    }

    /// Hears of each retry when it is scheduled: the error that it is for, and the time until it begins.
    pub fn on_retry<H, T, E>(self, hear: H) -> Run<O, F, C, H>
    where
        F: Future<Output = Result<T, E>>,
        H: FnMut(&E, Duration),
    {
        Run::new(self.retry, self.operation, self.classify, hear)
    }
}

impl<O, F, C, N, V, T, E> Future for Run<O, F, C, N>
where
    O: FnMut(Attempt) -> F,
    F: Future<Output = Result<T, E>>,
    C: FnMut(&E) -> V,
    N: FnMut(&E, Duration),
    V: Into<Verdict>,
{
    type Output = Result<T, GaveUp<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let session = this.session.get_or_insert_with(|| this.retry.begin());
        loop {
            match this.state.as_mut().project() {
                Now::Between => {
                    let attempt = (this.operation)(session.attempt());
                    this.state.set(State::Trying { attempt });
                }
                Now::Trying { attempt } => {
                    let error = match ready!(attempt.poll(cx)) {
                        Ok(value) => {
                            this.state.set(State::Between);
                            return Poll::Ready(Ok(value));
                        }
                        Err(error) => error,
                    };
                    // Dropped before the wait: it may hold a connection.
                    this.state.set(State::Between);
                    let verdict = (this.classify)(&error).into();
                    let now = Instant::now();
                    match session.failed(verdict, now) {
                        Ok(next) => {
                            (this.on_retry)(&error, next.saturating_duration_since(now));
                            this.state.set(State::Waiting { sleep: sleep_until(next) });
                        }
                        Err(why) => return Poll::Ready(Err(session.gave_up(error, why, now))),
                    }
                }
                Now::Waiting { sleep } => {
                    ready!(sleep.poll(cx));
                    this.state.set(State::Between);
                }
            }
        }
    }
}

impl<O, F, C, N> fmt::Debug for Run<O, F, C, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("retry", &self.retry)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
