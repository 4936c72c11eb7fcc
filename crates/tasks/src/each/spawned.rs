//! The same batches, each operation a task of its own.

use std::{
    convert::Infallible,
    future::poll_fn,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::task::{JoinHandle, spawn};

use crate::{
    each::{Each, Guarded, Results, run::Run, timed::Timed},
    failure::{Failure, Panic, Settled, log_failed},
};

/// A batch whose operations are tasks of the tokio runtime, so they run on all of its threads, and a panic ends only its own task.
///
/// Before a verb returns, with results or with a failure, every task has ended: those cut short are aborted and waited for.
/// A task that blocks its thread cannot be aborted, and holds the batch up until it yields.
///
/// # Cancel safety
///
/// Dropping the future that a verb returns aborts the tasks; it cannot wait for them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use underpin_tasks::each;
///
/// let squares = each(0..100_u64).limit(8).spawned().map(async |n| n * n).await;
/// assert_eq!(squares[99], 9801);
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing runs until `map`, `try_map` or `settle` is awaited"]
pub struct Spawned<B>(pub(super) B);

impl<I: IntoIterator> Spawned<Each<I>> {
    /// As [`Each::map`].
    ///
    /// # Panics
    ///
    /// With the panic of an operation or of `f`, after all other tasks have ended; outside of a tokio runtime; and when the runtime
    /// shuts down meanwhile.
    pub async fn map<F, Fut>(self, f: F) -> Vec<Fut::Output>
    where
        F: FnMut(I::Item) -> Fut,
        Fut: Future<Output: Send> + Send + 'static,
    {
        let Ok(results) =
            self.collect(f, Ok::<_, Infallible>).await.map_err(own_error::<Infallible>);
        results
    }

    /// As [`Each::try_map`].
    ///
    /// # Errors
    ///
    /// The first error that an operation returned, after all other tasks have ended.
    ///
    /// # Panics
    ///
    /// As [`map`](Spawned::map).
    pub async fn try_map<F, Fut, T, E>(self, f: F) -> Result<Vec<T>, E>
    where
        F: FnMut(I::Item) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.collect(f, |result| result).await.map_err(own_error)
    }

    /// As [`Each::settle`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn settle<F, Fut, T, E>(self, f: F) -> Vec<Settled<T, E>>
    where
        F: FnMut(I::Item) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        Spawned(Guarded::new(self.0)).settle(f).await
    }

    async fn collect<Fut, T, E>(
        self,
        mut f: impl FnMut(I::Item) -> Fut,
        check: impl Fn(Fut::Output) -> Result<T, E>,
    ) -> Result<Vec<T>, Failure<E>>
    where
        Fut: Future<Output: Send> + Send + 'static,
    {
        let Each { items, limit } = self.0;
        let mut run = Run::new(items, limit, |item| Child::start(contain(|| f(item))));
        let mut results = Results::new(run.expected());
        let flow = poll_fn(|cx| {
            run.poll(cx, &mut |index, joined| match joined
                .map_err(Failure::widen)
                .and_then(|output| check(output).map_err(Failure::Error))
            {
                Ok(value) => {
                    results.set(index, value);
                    ControlFlow::Continue(())
                }
                Err(failure) => ControlFlow::Break(failure),
            })
        })
        .await;
        end(run).await;
        match flow {
            ControlFlow::Continue(()) => Ok(results.finish()),
            ControlFlow::Break(failure) => Err(failure),
        }
    }
}

impl<I: IntoIterator, S: Future> Spawned<Guarded<I, S>> {
    /// As [`Guarded::try_map`].
    ///
    /// # Errors
    ///
    /// The first failure in time, after all other tasks have ended.
    ///
    /// # Panics
    ///
    /// As [`map`](Spawned::map).
    pub async fn try_map<F, Fut, T, E>(self, mut f: F) -> Result<Vec<T>, Failure<E>>
    where
        F: FnMut(I::Item) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let Guarded { batch: Each { items, limit }, timeout, stop } = self.0;
        let mut run = Run::new(items, limit, |item| {
            Child::start(contain(|| f(item)).map(|operation| Timed::new(operation, timeout)))
        });
        let mut results = Results::new(run.expected());
        let mut stop = pin!(stop);
        let flow = poll_fn(|cx| {
            if stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(ControlFlow::Break(Failure::Cancelled));
            }
            run.poll(cx, &mut |index, joined| match flat(joined) {
                Ok(value) => {
                    results.set(index, value);
                    ControlFlow::Continue(())
                }
                Err(failure) => ControlFlow::Break(failure),
            })
        })
        .await;
        end(run).await;
        match flow {
            ControlFlow::Continue(()) => Ok(results.finish()),
            ControlFlow::Break(Failure::Panicked(panic)) => panic.resume(),
            ControlFlow::Break(failure) => Err(failure),
        }
    }

    /// As [`Guarded::settle`]; what was done by the time that its task was aborted keeps its result.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn settle<F, Fut, T, E>(self, mut f: F) -> Vec<Settled<T, E>>
    where
        F: FnMut(I::Item) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let Guarded { batch: Each { items, limit }, timeout, stop } = self.0;
        let mut run = Run::new(items, limit, |item| {
            Child::start(contain(|| f(item)).map(|operation| Timed::new(operation, timeout)))
        });
        let mut results = Results::new(run.expected());
        let mut stop = pin!(stop);
        let mut stopped = None;
        poll_fn(|cx| {
            if stopped.is_none() && stop.as_mut().poll(cx).is_ready() {
                stopped = Some(run.close());
                abort(&mut run);
            }
            run.poll(cx, &mut |index, joined| {
                results.set(index, flat(joined));
                ControlFlow::<Infallible>::Continue(())
            })
        })
        .await;
        drop(run);
        let results = match stopped {
            None => results.finish(),
            Some(total) => results.finish_with(total, || Err(Failure::Cancelled)),
        };
        log_failed(&results);
        results
    }
}

/// Aborts the tasks that are left and waits until each of them has ended, which is when its future has been dropped.
async fn end<I, F, T>(mut run: Run<I, F, Child<T>>)
where
    I: Iterator,
    F: FnMut(I::Item) -> Child<T>,
{
    run.stop_starting();
    abort(&mut run);
    poll_fn(|cx| run.poll(cx, &mut |_, _| ControlFlow::<Infallible>::Continue(()))).await;
}

fn abort<I, F, T>(run: &mut Run<I, F, Child<T>>)
where
    I: Iterator,
    F: FnMut(I::Item) -> Child<T>,
{
    for child in run.slots().iter_mut() {
        child.abort();
    }
}

/// The error that the operation itself returned; anything else goes on as a panic.
fn own_error<E>(failure: Failure<E>) -> E {
    match failure {
        Failure::Error(error) => error,
        Failure::Panicked(panic) => panic.resume(),
        Failure::TimedOut(_) | Failure::Cancelled => {
            panic!("the runtime shut down before the batch was done")
        }
    }
}

/// The operation that `make` returns, or its panic.
/// What comes after, such as finding no runtime to run on, is not the item's failure.
fn contain<Fut>(make: impl FnOnce() -> Fut) -> Result<Fut, Panic> {
    catch_unwind(AssertUnwindSafe(make)).map_err(Panic::new)
}

/// A task of the batch, aborted when it is dropped.
struct Child<T>(Result<JoinHandle<T>, Option<Panic>>);

impl<T: Send + 'static> Child<T> {
    fn start<Fut>(operation: Result<Fut, Panic>) -> Child<T>
    where
        Fut: Future<Output = T> + Send + 'static,
    {
        Child(operation.map(spawn).map_err(Some))
    }
}

impl<T> Child<T> {
    fn abort(&self) {
        if let Ok(handle) = &self.0 {
            handle.abort();
        }
    }
}

impl<T> Future for Child<T> {
    type Output = Result<T, Failure<Infallible>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let panic = match &mut self.0 {
            Ok(handle) => match ready!(Pin::new(handle).poll(cx)) {
                Ok(output) => return Poll::Ready(Ok(output)),
                Err(error) => error.try_into_panic().ok().map(Panic::new),
            },
            Err(panic) => panic.take(),
        };
        // A task that did not panic was aborted, by its batch or by the end of the runtime.
        Poll::Ready(Err(panic.map_or(Failure::Cancelled, Failure::Panicked)))
    }
}

impl<T> Drop for Child<T> {
    fn drop(&mut self) {
        self.abort();
    }
}

/// What a task came to, as the result of its item.
fn flat<T, E>(
    joined: Result<Result<Result<T, E>, Duration>, Failure<Infallible>>,
) -> Settled<T, E> {
    match joined {
        Ok(Ok(result)) => result.map_err(Failure::Error),
        Ok(Err(limit)) => Err(Failure::TimedOut(limit)),
        Err(failure) => Err(failure.widen()),
    }
}
