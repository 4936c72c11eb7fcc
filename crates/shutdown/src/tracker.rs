//! What is in flight: admitted, counted, waited for.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt,
    future::Future,
    panic::Location,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
};

use tokio::task::JoinHandle;

use crate::{
    events,
    phase::{Name, Phase},
    shards::{shard_count, thread_number},
    shutdown::Inner,
    stopped::Stopped,
    tracker::counter::{Counter, Ticket},
};

mod counter;

/// Work of one kind that a stop waits for: requests, jobs, connections. Made by [`Shutdown::tracker`](crate::Shutdown::tracker).
///
/// Counting costs one atomic operation on a cache line that other threads seldom touch, on the way in and on the way out, and no lock.
/// In exchange the counters are never freed: 128 bytes for each of four lines a processor. So trackers are made once, at
/// start, and not for every request.
///
/// From [`Draining`](Phase::Draining) on [`admit`](Tracker::admit) says no. The stop then waits until nobody is left, or until the work
/// is cut off and reported as left behind.
#[derive(Clone)]
pub struct Tracker {
    shared: Arc<Shared>,
    shutdown: Arc<Inner>,
}

/// One piece of work in flight. It ends with the drop, on whatever thread that happens, also after the stop is over.
///
/// A guard that is leaked with [`mem::forget`](std::mem::forget) is work that never ends: the stop waits for it as long as it may, and
/// reports it as left behind.
#[must_use = "the work ends when this is dropped"]
pub struct InFlight {
    core: &'static Core,
    ticket: Ticket,
}

/// The answer to those who come too late: the service is stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Draining;

/// What a [`Tracker`] and the shutdown both hold.
pub(crate) struct Shared {
    pub(crate) name: Name,
    /// What every guard needs. Leaked, so that a guard is a plain reference: a counted one would cost each request two more writes, and to a line that all threads share.
    core: &'static Core,
    pub(crate) at_trigger: AtomicUsize,
    pub(crate) at_cancel: AtomicUsize,
    next_task: AtomicU64,
    tasks: Mutex<BTreeMap<u64, Name>>,
}

struct Core {
    counter: Counter,
    /// A stop has begun.
    is_leaving: AtomicBool,
}

impl Tracker {
    pub(crate) fn new(shared: Arc<Shared>, shutdown: Arc<Inner>) -> Tracker {
        Tracker { shared, shutdown }
    }

    /// Counts one in, unless the service is draining.
    ///
    /// # Errors
    ///
    /// From [`Draining`](Phase::Draining) on.
    #[inline]
    pub fn admit(&self) -> Result<InFlight, Draining> {
        let core = self.shared.core;
        let ticket = core.counter.enter(thread_number()).ok_or(Draining)?;
        Ok(InFlight { core, ticket })
    }

    /// Counts one in, whatever the phase: for what belongs to work that was admitted, such as the task behind an upgraded connection.
    pub fn track(&self) -> InFlight {
        let core = self.shared.core;
        InFlight { core, ticket: core.counter.enter_anyway(thread_number()) }
    }

    /// Runs a future as one piece of work, and lets it come to its end.
    ///
    /// # Errors
    ///
    /// From [`Draining`](Phase::Draining) on; the future is then dropped without being polled.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the future, and the work has ended.
    pub async fn run<F: Future>(&self, work: F) -> Result<F::Output, Draining> {
        let _guard = self.admit()?;
        Ok(work.await)
    }

    /// Starts a task that the stop waits for, and knows by name. At [`Cancelling`](Phase::Cancelling) its future is dropped, and the handle
    /// gives `None`.
    ///
    /// A task that is started later than that is dropped without being polled, and is not counted. A panic is logged with the task's name
    /// and the place that started it, and is the handle's error; the process goes on.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[track_caller]
    pub fn spawn<F>(&self, task: impl Into<Name>, work: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        // A closure would be the caller.
        let started_at = Location::caller();
        let name = task.into();
        // What comes too late is not counted: it is gone at its first poll, but the report may be made before that.
        let counted = (self.shutdown.phase() < Phase::Cancelling).then(|| {
            let entry = TaskEntry::new(self.shared.clone(), name, started_at);
            (entry, self.track())
        });
        let cancelled = Stopped::new(self.shutdown.clone(), Phase::Cancelling);
        tokio::spawn(async move {
            // Locals are dropped in reverse: first the work, and then its entry before the guard.
            let _counted = counted;
            let mut cancelled = pin!(cancelled);
            let mut work = pin!(work);
            std::future::poll_fn(|cx| {
                if cancelled.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                work.as_mut().poll(cx).map(Some)
            })
            .await
        })
    }

    /// How many are in flight: exact while nobody comes or goes.
    pub fn len(&self) -> usize {
        self.shared.len()
    }

    /// Whether nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name it was made with.
    pub fn name(&self) -> &str {
        &self.shared.name
    }
}

impl Shared {
    pub(crate) fn new(name: Name) -> Shared {
        let core =
            Core { counter: Counter::new(shard_count()), is_leaving: AtomicBool::new(false) };
        Shared {
            name,
            core: Box::leak(Box::new(core)),
            at_trigger: AtomicUsize::new(0),
            at_cancel: AtomicUsize::new(0),
            next_task: AtomicU64::new(0),
            tasks: Mutex::new(BTreeMap::new()),
        }
    }

    /// Follows the shutdown to a phase.
    pub(crate) fn enter(&self, phase: Phase) {
        if phase >= Phase::LameDuck {
            self.core.is_leaving.store(true, Ordering::Release);
        }
        if phase >= Phase::Draining {
            self.core.counter.close();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.core.counter.len()
    }

    pub(crate) fn poll_drained(&self, waker: &Waker) -> bool {
        self.core.counter.poll_drained(waker)
    }

    /// The names of the tasks that still run.
    pub(crate) fn tasks(&self) -> Vec<Name> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

impl InFlight {
    /// Whether a stop has begun, without a look at the shutdown's own line.
    #[cfg(feature = "tower")]
    pub(crate) fn is_leaving(&self) -> bool {
        self.core.is_leaving.load(Ordering::Acquire)
    }
}

impl Drop for InFlight {
    #[inline]
    fn drop(&mut self) {
        self.core.counter.leave(self.ticket);
    }
}

/// A task's name, for as long as it runs.
struct TaskEntry {
    shared: Arc<Shared>,
    id: u64,
    started_at: &'static Location<'static>,
}

impl TaskEntry {
    fn new(shared: Arc<Shared>, name: Name, started_at: &'static Location<'static>) -> TaskEntry {
        let id = shared.next_task.fetch_add(1, Ordering::Relaxed);
        shared.tasks.lock().unwrap_or_else(PoisonError::into_inner).insert(id, name);
        TaskEntry { shared, id, started_at }
    }
}

impl Drop for TaskEntry {
    fn drop(&mut self) {
        let name =
            self.shared.tasks.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        if let Some(name) = name
            && std::thread::panicking()
        {
            events::task_panicked(&name, self.started_at);
        }
    }
}

impl Error for Draining {}

impl fmt::Display for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the service is stopping: send this to another instance")
    }
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker")
            .field("name", &self.shared.name)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").finish_non_exhaustive()
    }
}
