//! The handle that a whole service shares.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    cleanup::{self, Deferred, Group, Stack, StopCx},
    events,
    outcome::IntoOutcome,
    phase::{Name, Phase, Reason},
    plan::Plan,
    report::Report,
    sequence,
    stopped::{Stopped, Waiters},
    tracker::{self, Tracker},
};

/// The handle that a whole service shares: asks for a stop, tells how far it is, counts what is in flight and knows what to clean up.
///
/// It has no thread, handles no signal and never exits: it is a state machine on tokio's clock, of which a process, or a test, may have many.
/// `App` puts a process around one. Clones are handles to the same.
///
/// Nothing happens after the trigger unless somebody awaits [`run`](Shutdown::run) or [`complete`](Shutdown::complete), once.
///
/// ```
/// use underpin_shutdown::{Plan, Reason, Shutdown};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let shutdown = Shutdown::new(Plan::new());
/// shutdown.defer("telemetry", |_| async { println!("second") });
/// shutdown.defer("database", |_| async { println!("first") });
/// shutdown.trigger(Reason::Requested("the example".into()));
/// let report = shutdown.complete().await;
/// assert_eq!(report.exit_code(), 0);
/// # });
/// ```
#[derive(Clone)]
#[must_use = "nothing stops unless `run` or `complete` is awaited"]
pub struct Shutdown {
    pub(crate) inner: Arc<Inner>,
}

/// Start-up was given up, because the service is to stop: [`Shutdown::startup`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interrupted;

pub(crate) struct Inner {
    pub(crate) plan: Plan,
    phase: AtomicU8,
    begun: OnceLock<Begun>,
    pub(crate) waiters: Waiters,
    trackers: Mutex<Vec<Arc<tracker::Shared>>>,
    stack: Mutex<Stack>,
    /// Somebody awaits the sequence.
    driven: AtomicBool,
    starting: AtomicBool,
    pub(crate) interrupted: AtomicBool,
    /// By the server of this crate, which closes the door by itself.
    #[cfg(feature = "tower")]
    is_served: AtomicBool,
    late_cleanups: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Begun {
    reason: Reason,
    at: Instant,
}

impl Shutdown {
    /// A shutdown that nothing has asked for yet.
    ///
    /// # Panics
    ///
    /// With a plan that does not pass [`Plan::validate`].
    #[track_caller]
    pub fn new(plan: Plan) -> Shutdown {
        if let Err(error) = plan.validate() {
            panic!("{error}");
        }
        let inner = Inner {
            plan,
            phase: AtomicU8::new(Phase::Running as u8),
            begun: OnceLock::new(),
            waiters: Waiters::new(),
            trackers: Mutex::default(),
            stack: Mutex::default(),
            driven: AtomicBool::new(false),
            starting: AtomicBool::new(false),
            interrupted: AtomicBool::new(false),
            #[cfg(feature = "tower")]
            is_served: AtomicBool::new(false),
            late_cleanups: Arc::default(),
        };
        Shutdown { inner: Arc::new(inner) }
    }

    /// Asks for a stop, from any thread. The clock starts here, once: later calls change nothing and return `false`.
    pub fn trigger(&self, reason: Reason) -> bool {
        self.inner.trigger(reason)
    }

    /// How far the stop is.
    #[inline]
    pub fn phase(&self) -> Phase {
        self.inner.phase()
    }

    /// Whether a stop was asked for.
    #[inline]
    pub fn is_stopping(&self) -> bool {
        self.phase() != Phase::Running
    }

    /// Why the stop began, once it has.
    pub fn reason(&self) -> Option<&Reason> {
        self.inner.reason()
    }

    /// What is left of the whole budget, once the stop has begun.
    pub fn remaining(&self) -> Option<Duration> {
        let line = self.inner.plan.line(self.inner.begun.get()?.at);
        Some(line.deadline.saturating_duration_since(Instant::now()))
    }

    /// Waits for a phase, or one after it.
    ///
    /// A server stops accepting [`at(Phase::Draining)`](Phase::Draining); most take `.unit()`, a future without output.
    pub fn at(&self, phase: Phase) -> Stopped {
        Stopped::new(self.inner.clone(), phase)
    }

    /// For the handler of an HTTP `preStop` hook: starts the stop, and resolves at the end of the lame duck. The orchestrator
    /// sends its signal after the hook, and the signal then changes nothing.
    pub async fn pre_stop(&self) {
        self.trigger(Reason::PreStop);
        self.at(Phase::Draining).await;
    }

    /// Runs what has to succeed before the service can serve, and gives it up at its next await when a stop begins first.
    ///
    /// Register cleanups inside, as soon as there is something to clean up: those are run. A stop during start-up has no lame duck,
    /// for nobody was ever sent here.
    ///
    /// # Errors
    ///
    /// When the stop came first. A `main` that then returns an error is not reported as failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops `future`, and ends the start-up.
    pub async fn startup<F: Future>(&self, future: F) -> Result<F::Output, Interrupted> {
        /// Resets the flag also when the future is dropped or panics.
        struct Starting<'a>(&'a Inner);
        impl Drop for Starting<'_> {
            fn drop(&mut self) {
                self.0.starting.store(false, Ordering::Release);
            }
        }
        self.inner.starting.store(true, Ordering::Release);
        let starting = Starting(&self.inner);
        let mut stopped = pin!(self.at(Phase::LameDuck));
        let mut future = pin!(future);
        let output = std::future::poll_fn(|cx| match stopped.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => future.as_mut().poll(cx).map(Some),
        })
        .await;
        drop(starting);
        output.ok_or_else(|| {
            self.inner.interrupted.store(true, Ordering::Release);
            Interrupted
        })
    }

    /// The tracker of this name, which is made at the first call.
    pub fn tracker(&self, name: impl Into<Name>) -> Tracker {
        Tracker::new(self.inner.tracker(name.into()), self.inner.clone())
    }

    /// Registers a cleanup. Cleanups run in [`Phase::Cleanup`], one after the other, the last registered first, each as a task of its own.
    ///
    /// One that fails, panics, takes too long or blocks its thread is reported, and the next one runs. One that is registered during the
    /// cleanups runs next. One that is registered after [`Done`](Phase::Done) is dropped and counted, and never run.
    pub fn defer<F, Fut>(&self, name: impl Into<Name>, cleanup: F) -> Deferred
    where
        F: FnOnce(StopCx) -> Fut + Send + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoOutcome,
    {
        cleanup::push(&self.inner, name.into(), None, cleanup)
    }

    /// A place in the order whose members run at the same time, each with its own budget.
    #[must_use = "a group without members does nothing"]
    pub fn defer_together(&self) -> Group {
        cleanup::group(&self.inner)
    }

    /// Waits for the trigger, goes through all phases and says how it went.
    ///
    /// # Panics
    ///
    /// When the sequence is awaited already, by another `complete` or [`run`](Shutdown::run). So a cleanup that awaits the
    /// shutdown it belongs to does not deadlock, but fails.
    ///
    /// # Cancel safety
    ///
    /// Dropping it stops the sequence where it is, for good.
    pub async fn complete(self) -> Report {
        sequence::drive(&self.inner, None::<std::future::Ready<()>>, |()| None).await.1
    }

    /// Runs the service inside: `main` is polled along, and its end, or its panic, is a trigger like any other.
    ///
    /// After a trigger `main` may go on until [`Draining`](Phase::Draining), when it should come to its end as what is in flight does. If it
    /// has not at the end of [`Cancelling`](Phase::Cancelling), it is dropped, and reported as left behind. Cleanups run after it.
    ///
    /// # Panics
    ///
    /// As [`complete`](Shutdown::complete). A panic of `main` is caught and reported.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops `main`, and stops the sequence where it is, for good.
    pub async fn run<F: Future>(self, main: F) -> (Option<F::Output>, Report) {
        sequence::drive(&self.inner, Some(main), |_| None).await
    }
}

#[cfg(feature = "tower")]
impl Shutdown {
    pub(crate) fn is_served(&self) -> bool {
        self.inner.is_served.load(Ordering::Acquire)
    }

    #[cfg(feature = "hyper")]
    pub(crate) fn set_served(&self) {
        self.inner.is_served.store(true, Ordering::Release);
    }
}

impl Inner {
    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        Phase::from_u8(self.phase.load(Ordering::Acquire))
    }

    pub(crate) fn reason(&self) -> Option<&Reason> {
        self.begun.get().map(|begun| &begun.reason)
    }

    /// When the trigger came; only after it.
    pub(crate) fn begun_at(&self) -> Instant {
        self.begun.get().map_or_else(Instant::now, |begun| begun.at)
    }

    pub(crate) fn trigger(&self, reason: Reason) -> bool {
        self.trigger_at(reason, Instant::now())
    }

    /// For what happened before there was a shutdown to tell.
    pub(crate) fn trigger_at(&self, reason: Reason, at: Instant) -> bool {
        let mut first = false;
        let begun = self.begun.get_or_init(|| {
            first = true;
            Begun { reason, at }
        });
        if first {
            for tracker in self.trackers().iter() {
                tracker.at_trigger.store(tracker.len(), Ordering::Relaxed);
            }
            let is_serving = !self.starting.load(Ordering::Acquire) && !begun.reason.ends_service();
            let lame_duck = is_serving && self.plan.has_lame_duck();
            self.advance(if lame_duck { Phase::LameDuck } else { Phase::Draining });
        }
        first
    }

    /// Goes on to a phase, wherever the stop is before it.
    pub(crate) fn advance(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
        self.trackers().iter().for_each(|tracker| tracker.enter(phase));
        self.waiters.wake(phase);
    }

    /// Marks the sequence as awaited.
    #[track_caller]
    pub(crate) fn claim(self: &Arc<Inner>) {
        cleanup::forbid_waiting_for_itself(self);
        let claimed = self.driven.swap(true, Ordering::AcqRel);
        assert!(!claimed, "this shutdown is awaited already: call `run` or `complete` once");
    }

    pub(crate) fn stack(&self) -> MutexGuard<'_, Stack> {
        self.stack.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn trackers(&self) -> MutexGuard<'_, Vec<Arc<tracker::Shared>>> {
        self.trackers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tracker(&self, name: Name) -> Arc<tracker::Shared> {
        let mut trackers = self.trackers();
        if let Some(tracker) = trackers.iter().find(|tracker| tracker.name == name) {
            return tracker.clone();
        }
        let tracker = Arc::new(tracker::Shared::new(name));
        trackers.push(tracker.clone());
        drop(trackers);
        // After it is in the list: a phase that comes after this look finds it there.
        tracker.enter(self.phase());
        tracker
    }

    pub(crate) fn late_cleanup(&self) {
        self.late_cleanups.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn late_cleanups(&self) -> Arc<AtomicUsize> {
        self.late_cleanups.clone()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let left = self.stack().places();
        if left > 0 {
            events::dropped(left);
        }
    }
}

impl Error for Interrupted {}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("start-up was interrupted by a stop")
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("phase", &self.phase())
            .field("reason", &self.reason())
            .finish_non_exhaustive()
    }
}
