//! One async operation for every item, at most so many at once.

mod guarded;
mod ready;
mod run;
mod slots;
mod spawned;
mod timed;

use std::{
    convert::Infallible,
    fmt,
    future::{Pending, poll_fn},
    ops::ControlFlow,
    time::Duration,
};

use crate::{
    contained::Contained,
    each::run::Run,
    failure::{Failure, Settled, log_failed},
};

pub use self::{guarded::Guarded, spawned::Spawned};

/// Starts a batch: one async operation for every item.
///
/// Nothing runs until [`map`](Each::map), [`try_map`](Each::try_map) or [`settle`](Each::settle) is awaited.
/// Without [`limit`](Each::limit) everything runs at once, as with `Promise.all`: right for a handful of branches, wrong for rows of a table.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use underpin_tasks::each;
///
/// let lengths = each(["a", "bb", "ccc"]).limit(2).map(async |word| word.len()).await;
/// assert_eq!(lengths, [1, 2, 3]);
/// # }
/// ```
pub fn each<I: IntoIterator>(items: I) -> Each<I> {
    Each { items, limit: usize::MAX }
}

/// A batch that runs inside the task that awaits it: operations may borrow and need not be `Send`.
///
/// All of them are polled by the one future that the verbs return, and no code of the caller's runs between two of them, so none can be
/// left holding a lock while nobody polls it.
/// They share one thread; [`spawned`](Each::spawned) spreads them over the runtime.
///
/// # Cancel safety
///
/// Dropping the future that a verb returns drops every operation that has started, and the results so far; the rest never starts.
#[must_use = "nothing runs until `map`, `try_map` or `settle` is awaited"]
pub struct Each<I> {
    items: I,
    limit: usize,
}

impl<I: IntoIterator> Each<I> {
    /// At most `n` operations at once.
    /// Memory for running them is proportional to this, not to the number of items, of which one is taken whenever there is room.
    ///
    /// # Panics
    ///
    /// Where `n` is 0.
    #[track_caller]
    pub fn limit(self, n: usize) -> Self {
        assert!(n > 0, "limit(0) would never start anything: allow at least 1 at once");
        Each { limit: n, ..self }
    }

    /// Gives every operation this long, counted from its own start.
    pub fn timeout(self, per_item: Duration) -> Guarded<I, Pending<()>> {
        Guarded::new(self).timeout(per_item)
    }

    /// Cancels what is unfinished when `stop` resolves.
    pub fn until<S: Future>(self, stop: S) -> Guarded<I, S> {
        Guarded::new(self).until(stop)
    }

    /// Runs every operation as a task of its own on the tokio runtime.
    pub fn spawned(self) -> Spawned<Each<I>> {
        Spawned(self)
    }

    /// Runs `f` for every item and returns what the operations returned, in the order of the items.
    ///
    /// # Panics
    ///
    /// With the panic of an operation or of `f`; the others have been dropped by then.
    pub async fn map<F, Fut>(self, f: F) -> Vec<Fut::Output>
    where
        F: FnMut(I::Item) -> Fut,
        Fut: Future,
    {
        let Ok(results) = collect(Run::new(self.items, self.limit, f), Ok::<_, Infallible>).await;
        results
    }

    /// Runs `f` for every item until the first error, first in time, which is returned; the others have been dropped by then.
    ///
    /// # Errors
    ///
    /// The first error that an operation returned.
    ///
    /// # Panics
    ///
    /// As [`map`](Each::map).
    pub async fn try_map<F, Fut, T, E>(self, f: F) -> Result<Vec<T>, E>
    where
        F: FnMut(I::Item) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        collect(Run::new(self.items, self.limit, f), |result| result).await
    }

    /// Runs `f` for every item, whatever happens to the others, and returns all results in the order of the items.
    /// A panic of an operation, or of `f`, is the [`Failure::Panicked`] of its item.
    ///
    /// With the feature `tracing`, one event tells how many failed, if any did; [`split`](crate::split) parts the results.
    pub async fn settle<F, Fut, T, E>(self, mut f: F) -> Vec<Settled<T, E>>
    where
        F: FnMut(I::Item) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let run = Run::new(self.items, self.limit, |item| Contained::start(|| f(item)));
        let Ok(results) = collect(run, |result| Ok::<_, Infallible>(flat(result))).await;
        log_failed(&results);
        results
    }
}

impl<I> fmt::Debug for Each<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Each").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// What was contained, as the result of its item.
fn flat<T, E>(result: Result<Result<T, E>, Failure<Infallible>>) -> Settled<T, E> {
    match result {
        Ok(result) => result.map_err(Failure::Error),
        Err(failure) => Err(failure.widen()),
    }
}

/// Drives a run to its end, or to the first result that `check` refuses, and drops what is left of it before it returns.
async fn collect<I, F, Fut, T, E>(
    mut run: Run<I, F, Fut>,
    check: impl Fn(Fut::Output) -> Result<T, E>,
) -> Result<Vec<T>, E>
where
    I: Iterator,
    F: FnMut(I::Item) -> Fut,
    Fut: Future,
{
    let mut results = Results::new(run.expected());
    let flow = poll_fn(|cx| {
        run.poll(cx, &mut |index, output| match check(output) {
            Ok(value) => {
                results.set(index, value);
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        })
    })
    .await;
    drop(run);
    match flow {
        ControlFlow::Continue(()) => Ok(results.finish()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// Results by the number of their item, whatever order they come in.
struct Results<T>(Vec<Option<T>>);

impl<T> Results<T> {
    fn new(expected: usize) -> Results<T> {
        Results(Vec::with_capacity(expected))
    }

    fn set(&mut self, index: usize, value: T) {
        if index >= self.0.len() {
            self.0.resize_with(index + 1, || None);
        }
        self.0[index] = Some(value);
    }

    /// All results, `filler` where one of the `total` is missing.
    fn finish_with(mut self, total: usize, mut filler: impl FnMut() -> T) -> Vec<T> {
        self.0.resize_with(total.max(self.0.len()), || None);
        self.0.into_iter().map(|result| result.unwrap_or_else(&mut filler)).collect()
    }

    fn finish(self) -> Vec<T> {
        self.0
            .into_iter()
            .map(|result| result.expect("a run ends when every item has its result"))
            .collect()
    }
}
