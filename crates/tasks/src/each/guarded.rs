//! A batch whose operations can be cut short, by time or from outside.

use std::{
    convert::Infallible,
    fmt,
    future::{Pending, pending, poll_fn},
    ops::ControlFlow,
    pin::pin,
    task::Poll,
    time::Duration,
};

use crate::{
    contained::Contained,
    each::{Each, Results, run::Run, spawned::Spawned, timed::Timed},
    failure::{Failure, Settled, log_failed},
};

/// A batch with a time limit, a stop, or both: its operations can end without a result of their own.
///
/// That is why there is no `map` here.
/// Made by [`Each::timeout`] and [`Each::until`].
#[must_use = "nothing runs until `try_map` or `settle` is awaited"]
pub struct Guarded<I, S> {
    pub(super) batch: Each<I>,
    pub(super) timeout: Option<Duration>,
    pub(super) stop: S,
}

impl<I: IntoIterator> Guarded<I, Pending<()>> {
    pub(super) fn new(batch: Each<I>) -> Guarded<I, Pending<()>> {
        Guarded { batch, timeout: None, stop: pending() }
    }
}

impl<I: IntoIterator, S: Future> Guarded<I, S> {
    /// As [`Each::limit`].
    ///
    /// # Panics
    ///
    /// Where `n` is 0.
    #[track_caller]
    pub fn limit(self, n: usize) -> Self {
        Guarded { batch: self.batch.limit(n), ..self }
    }

    /// Gives every operation this long, counted from its own start; then it is dropped.
    /// The batch must run on a tokio runtime that has timers.
    pub fn timeout(self, per_item: Duration) -> Self {
        Guarded { timeout: Some(per_item), ..self }
    }

    /// Cancels what is unfinished when `stop` resolves: what runs is dropped, the rest never starts.
    pub fn until<T: Future>(self, stop: T) -> Guarded<I, T> {
        Guarded { batch: self.batch, timeout: self.timeout, stop }
    }

    /// Runs every operation as a task of its own on the tokio runtime.
    pub fn spawned(self) -> Spawned<Self> {
        Spawned(self)
    }

    /// Runs `f` for every item until the first failure; the others have been dropped by then.
    ///
    /// # Errors
    ///
    /// The first failure in time: an operation's error, its time limit, or [`Failure::Cancelled`] once the stop resolves.
    ///
    /// # Panics
    ///
    /// As [`Each::map`]; and with a time limit, outside of a tokio runtime.
    pub async fn try_map<F, Fut, T, E>(self, mut f: F) -> Result<Vec<T>, Failure<E>>
    where
        F: FnMut(I::Item) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let timeout = self.timeout;
        let mut run =
            Run::new(self.batch.items, self.batch.limit, |item| Timed::new(f(item), timeout));
        let mut results = Results::new(run.expected());
        let mut stop = pin!(self.stop);
        let flow = poll_fn(|cx| {
            if stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(ControlFlow::Break(Failure::Cancelled));
            }
            run.poll(cx, &mut |index, output| match output {
                Ok(Ok(value)) => {
                    results.set(index, value);
                    ControlFlow::Continue(())
                }
                Ok(Err(error)) => ControlFlow::Break(Failure::Error(error)),
                Err(limit) => ControlFlow::Break(Failure::TimedOut(limit)),
            })
        })
        .await;
        drop(run);
        match flow {
            ControlFlow::Continue(()) => Ok(results.finish()),
            ControlFlow::Break(failure) => Err(failure),
        }
    }

    /// Runs `f` for every item and returns all results in the order of the items, whatever happens to the others.
    ///
    /// Once the stop resolves, everything unfinished is [`Failure::Cancelled`]; items that had not started are then counted, so the
    /// iterator must end.
    /// With the feature `tracing`, one event tells how many failed, if any did.
    ///
    /// # Panics
    ///
    /// With a time limit, outside of a tokio runtime.
    pub async fn settle<F, Fut, T, E>(self, mut f: F) -> Vec<Settled<T, E>>
    where
        F: FnMut(I::Item) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let timeout = self.timeout;
        let mut run = Run::new(self.batch.items, self.batch.limit, |item| {
            Timed::new(Contained::start(|| f(item)), timeout)
        });
        let mut results = Results::new(run.expected());
        let mut stop = pin!(self.stop);
        let flow = poll_fn(|cx| {
            if stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(ControlFlow::Break(()));
            }
            run.poll(cx, &mut |index, output| {
                results.set(index, flat(output));
                ControlFlow::Continue(())
            })
        })
        .await;
        let results = match flow {
            ControlFlow::Continue(()) => results.finish(),
            ControlFlow::Break(()) => {
                let total = run.close();
                drop(run);
                results.finish_with(total, || Err(Failure::Cancelled))
            }
        };
        log_failed(&results);
        results
    }
}

impl<I, S> fmt::Debug for Guarded<I, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("batch", &self.batch)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What was contained and timed, as the result of its item.
fn flat<T, E>(
    output: Result<Result<Result<T, E>, Failure<Infallible>>, Duration>,
) -> Settled<T, E> {
    match output {
        Ok(contained) => super::flat(contained),
        Err(limit) => Err(Failure::TimedOut(limit)),
    }
}
