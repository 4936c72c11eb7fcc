//! Tasks that do not outlive their owner.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    error::Error,
    fmt,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use pin_project_lite::pin_project;
use tokio::task::AbortHandle;

use crate::{
    contained::Contained,
    failure::{Failure, Settled},
};

type BoxError = Box<dyn Error + Send + Sync>;
type Observer = Arc<dyn Fn(&Outcome) + Send + Sync>;

/// Starts tasks that end with it, and sees how each of them ends.
///
/// Dropping it aborts what is left; [`close`](Nursery::close) waits for it.
/// The outcome of a task goes to the observer, and with the feature `tracing` to the log if it failed; after that nothing of it is kept,
/// so a nursery may live as long as the service.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use underpin_tasks::Nursery;
///
/// let nursery = Nursery::new();
/// nursery.spawn("warm up", async { Ok::<_, std::io::Error>(()) });
/// nursery.spawn("import", async { Err("no such file") });
/// let tally = nursery.close().await;
/// assert_eq!((tally.succeeded, tally.failed), (1, 1));
/// # }
/// ```
#[derive(Default)]
#[must_use = "dropping a nursery aborts its tasks"]
pub struct Nursery {
    shared: Arc<Shared>,
    observer: Option<Observer>,
}

/// How one task ended.
#[derive(Debug)]
pub struct Outcome {
    /// The name that it was started with.
    pub name: Cow<'static, str>,
    /// [`Failure::Cancelled`] if it was aborted, by its nursery or by the end of the runtime.
    pub result: Settled<(), BoxError>,
}

/// How many tasks ended, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tasks that returned `Ok`.
    pub succeeded: u64,
    /// Tasks that returned an error.
    pub failed: u64,
    /// Tasks that panicked.
    pub panicked: u64,
    /// Tasks that were aborted.
    pub cancelled: u64,
}

impl Nursery {
    /// An empty nursery.
    pub fn new() -> Nursery {
        Nursery::default()
    }

    /// Shows every outcome of the tasks started from now on to `observer`, in the task that ended; a panic of the observer's is dropped.
    pub fn on_outcome(mut self, observer: impl Fn(&Outcome) + Send + Sync + 'static) -> Nursery {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Starts `operation` as a task of the tokio runtime.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn spawn<F, E>(&self, name: impl Into<Cow<'static, str>>, operation: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let number = self.shared.state().admit();
        let seat = Seat {
            shared: Arc::clone(&self.shared),
            number,
            name: name.into(),
            observer: self.observer.clone(),
            taken: true,
        };
        let operation = Contained::start(|| operation);
        // Not under the lock: a runtime that is shutting down drops the task at once, and its end takes the lock.
        let task = tokio::spawn(Member { operation, seat });
        self.shared.state().started(number, task.abort_handle());
    }

    /// Tasks that have not ended.
    pub fn len(&self) -> usize {
        self.shared.state().live
    }

    /// Whether all tasks have ended.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until all tasks have ended, and says how.
    /// They have been dropped by then, and the observer has seen them all.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the nursery, so it aborts what is left.
    pub async fn close(self) -> Tally {
        poll_fn(|cx| self.shared.state().poll_empty(cx)).await
    }

    /// Aborts all tasks, waits until they have ended, and says how.
    /// A task that blocks its thread is waited for until it yields.
    ///
    /// # Cancel safety
    ///
    /// The tasks are aborted even if the future is dropped; then nobody waits for them.
    pub async fn abort(self) -> Tally {
        self.shared.abort_all();
        self.close().await
    }
}

impl Drop for Nursery {
    fn drop(&mut self) {
        self.shared.abort_all();
    }
}

impl fmt::Debug for Nursery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nursery").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Shared(Mutex<State>);

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn abort_all(&self) {
        let handles: Vec<AbortHandle> = self.state().handles.values().flatten().cloned().collect();
        // Not under the lock: an abort may drop the task at once, and its end takes the lock.
        handles.iter().for_each(AbortHandle::abort);
    }
}

#[derive(Default)]
struct State {
    next: u64,
    live: usize,
    /// `None` for a task that ended before its handle was known.
    handles: HashMap<u64, Option<AbortHandle>>,
    tally: Tally,
    closing: Option<Waker>,
}

impl State {
    fn admit(&mut self) -> u64 {
        self.live += 1;
        self.next += 1;
        self.next
    }

    fn started(&mut self, number: u64, handle: AbortHandle) {
        match self.handles.entry(number) {
            Entry::Vacant(vacant) => drop(vacant.insert(Some(handle))),
            Entry::Occupied(ended) => drop(ended.remove()),
        }
    }

    /// Returns who waits for the last task, if this was it.
    fn ended(&mut self, number: u64, result: &Settled<(), BoxError>) -> Option<Waker> {
        match self.handles.entry(number) {
            Entry::Vacant(vacant) => drop(vacant.insert(None)),
            Entry::Occupied(started) => drop(started.remove()),
        }
        let count = match result {
            Ok(()) => &mut self.tally.succeeded,
            Err(Failure::Error(_)) => &mut self.tally.failed,
            Err(Failure::Panicked(_)) => &mut self.tally.panicked,
            Err(Failure::TimedOut(_) | Failure::Cancelled) => &mut self.tally.cancelled,
        };
        *count += 1;
        self.live -= 1;
        if self.live == 0 { self.closing.take() } else { None }
    }

    fn poll_empty(&mut self, cx: &Context<'_>) -> Poll<Tally> {
        if self.live == 0 {
            return Poll::Ready(self.tally);
        }
        self.closing = Some(cx.waker().clone());
        Poll::Pending
    }
}

pin_project! {
    /// What runs in a task. The operation stands first, so that it is dropped before its end is told.
    struct Member<F> {
        #[pin]
        operation: Contained<F>,
        seat: Seat,
    }
}

impl<F, E> Future for Member<F>
where
    F: Future<Output = Result<(), E>>,
    E: Into<BoxError>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let result = match ready!(this.operation.poll(cx)) {
            Ok(result) => result.map_err(|error| Failure::Error(error.into())),
            Err(failure) => Err(failure.widen()),
        };
        this.seat.leave(result);
        Poll::Ready(())
    }
}

/// A task's place in its nursery, left once: with a result, or by being dropped.
struct Seat {
    shared: Arc<Shared>,
    number: u64,
    name: Cow<'static, str>,
    observer: Option<Observer>,
    taken: bool,
}

impl Seat {
    fn leave(&mut self, result: Settled<(), BoxError>) {
        if !std::mem::take(&mut self.taken) {
            return;
        }
        let outcome = Outcome { name: std::mem::take(&mut self.name), result };
        log(&outcome);
        if let Some(observer) = &self.observer {
            // Caught, because this may run while another panic unwinds, and because the count below must come out right.
            drop(catch_unwind(AssertUnwindSafe(|| observer(&outcome))));
        }
        let closing = self.shared.state().ended(self.number, &outcome.result);
        if let Some(waker) = closing {
            waker.wake();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave(Err(Failure::Cancelled));
    }
}

#[cfg(feature = "tracing")]
fn log(outcome: &Outcome) {
    let name = &*outcome.name;
    match &outcome.result {
        Ok(()) => {}
        Err(Failure::Cancelled) => {
            tracing::debug!(target: "underpin_tasks", task = name, "task cancelled");
        }
        Err(failure) => {
            tracing::error!(target: "underpin_tasks", task = name, %failure, "task failed");
        }
    }
}

#[cfg(not(feature = "tracing"))]
fn log(_: &Outcome) {}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::PoisonError};

    use tokio::task::yield_now;

    use super::Nursery;

    /// On one thread tasks end after their handle is known, on two some end before.
    async fn handles_go_with_their_tasks() {
        let nursery = Nursery::new();
        for _ in 0..1000 {
            nursery.spawn("short", async { Ok::<_, Infallible>(()) });
        }
        while !nursery.is_empty() {
            yield_now().await;
        }
        let state = nursery.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(state.handles.len(), 0);
    }

    #[tokio::test]
    async fn handles_go_with_their_tasks_on_one_thread() {
        handles_go_with_their_tasks().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn handles_go_with_their_tasks_on_two_threads() {
        handles_go_with_their_tasks().await;
    }

    /// A task can end before its handle is known: here it is dropped inside of `spawn`.
    #[test]
    fn handle_that_comes_after_the_end_is_not_kept() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let handle = runtime.handle().clone();
        drop(runtime);
        let _inside = handle.enter();
        let nursery = Nursery::new();
        nursery.spawn("too late", async { Ok::<_, Infallible>(()) });
        let state = nursery.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!((state.live, state.handles.len()), (0, 0));
    }
}
