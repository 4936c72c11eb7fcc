//! What is to be closed, the last opened first.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    outcome::IntoOutcome,
    phase::{Name, Reason},
    report::CleanupOutcome,
    sequence,
    shutdown::Inner,
};

type Run = Box<dyn FnOnce(StopCx) -> Pin<Box<dyn Future<Output = Result<(), Name>> + Send>> + Send>;

/// What a cleanup is told: how long it has, and why.
#[derive(Debug, Clone)]
pub struct StopCx {
    pub(crate) deadline: Instant,
    pub(crate) reason: Reason,
}

/// A registered cleanup. Dropping this changes nothing: the cleanup stays registered.
pub struct Deferred {
    shutdown: Arc<Inner>,
    id: u64,
}

/// One place in the order, whose members stop at the same time: [`Shutdown::defer_together`](crate::Shutdown::defer_together).
#[derive(Clone)]
pub struct Group {
    shutdown: Arc<Inner>,
    id: u64,
}

impl StopCx {
    /// The time that is left for this cleanup.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// When this cleanup is cut off.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Why the stop began.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }
}

impl Deferred {
    /// Gives the cleanup at most this long, and never more than is left of the whole budget.
    ///
    /// Without, it has an equal share of what is left: with 6 s left and two more cleanups after it, 2 s.
    #[expect(clippy::return_self_not_must_use, reason = "registering is the effect")]
    pub fn budget(self, budget: Duration) -> Deferred {
        self.shutdown.stack().change(self.id, |cleanup| cleanup.budget = Some(budget));
        self
    }

    /// Runs the cleanup only if `name` has come to its end: a tracker that is drained, a cleanup that succeeded, or `main`, the future
    /// that [`run`](crate::Shutdown::run) was given. Otherwise it is skipped, and reported as such: what is still used is better left open.
    #[expect(clippy::return_self_not_must_use, reason = "registering is the effect")]
    pub fn requires(self, name: impl Into<Name>) -> Deferred {
        let name = name.into();
        self.shutdown.stack().change(self.id, |cleanup| cleanup.requires.push(name));
        self
    }

    /// Runs the cleanup now, and no longer at the stop: for what is closed while the service goes on. Says how it went.
    ///
    /// It has its [budget](Deferred::budget) or, without one, the plan's cleanup reserve. What it [requires](Deferred::requires) is not asked;
    /// whoever requires it has what it needs once this has succeeded. The outcome is the caller's and in no [`Report`](crate::Report), and the
    /// stop waits for this no longer than for the task or the `main` that awaits it.
    ///
    /// [`Skipped`](CleanupOutcome::Skipped) when the stop has run it, or runs it.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime. A panic of the cleanup is caught.
    ///
    /// # Cancel safety
    ///
    /// Dropping this drops the cleanup's future where it is, and it is not run again.
    pub async fn run_now(self) -> CleanupOutcome {
        let Deferred { shutdown, id } = self;
        let Some(cleanup) = shutdown.stack().remove(id) else {
            return CleanupOutcome::Skipped("its turn has come already".into());
        };
        let name = cleanup.name.clone();
        let report = sequence::settle_now(&shutdown, cleanup).await;
        let is_tracker = shutdown.trackers().iter().any(|tracker| tracker.name == name);
        if report.outcome.is_ok() && !is_tracker {
            shutdown.stack().satisfied(&name);
        }
        report.outcome
    }

    /// Takes the cleanup back, if it has not begun.
    pub fn disarm(self) {
        let taken = self.shutdown.stack().remove(self.id);
        // What the cleanup owns is dropped without the lock: its destructor may come back here.
        drop(taken);
    }
}

impl Group {
    /// As [`Shutdown::defer`](crate::Shutdown::defer), in this group's place.
    ///
    /// When the group has had its turn, the cleanup runs next.
    pub fn defer<F, Fut>(&self, name: impl Into<Name>, cleanup: F) -> Deferred
    where
        F: FnOnce(StopCx) -> Fut + Send + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoOutcome,
    {
        push(&self.shutdown, name.into(), Some(self.id), cleanup)
    }
}

pub(crate) fn push<F, Fut>(
    shutdown: &Arc<Inner>,
    name: Name,
    group: Option<u64>,
    cleanup: F,
) -> Deferred
where
    F: FnOnce(StopCx) -> Fut + Send + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: IntoOutcome,
{
    // The closure is called by the task's own future, so that its panic is that cleanup's.
    let run: Run = Box::new(|cx| Box::pin(async { cleanup(cx).await.into_outcome() }));
    push_boxed(shutdown, name, group, run)
}

fn push_boxed(shutdown: &Arc<Inner>, name: Name, group: Option<u64>, run: Run) -> Deferred {
    let mut stack = shutdown.stack();
    let id = stack.next_id();
    let refused = stack.push(Cleanup { id, name, budget: None, requires: Vec::new(), run }, group);
    drop(stack);
    if refused.is_some() {
        shutdown.late_cleanup();
    }
    Deferred { shutdown: shutdown.clone(), id }
}

pub(crate) fn group(shutdown: &Arc<Inner>) -> Group {
    let mut stack = shutdown.stack();
    let id = stack.next_id();
    stack.slots.push(Slot { id, members: Vec::new() });
    drop(stack);
    Group { shutdown: shutdown.clone(), id }
}

pub(crate) struct Cleanup {
    id: u64,
    pub(crate) name: Name,
    pub(crate) budget: Option<Duration>,
    pub(crate) requires: Vec<Name>,
    pub(crate) run: Run,
}

/// The cleanups that have not begun. User code never runs under its lock.
#[derive(Default)]
pub(crate) struct Stack {
    last_id: u64,
    slots: Vec<Slot>,
    /// Whose turn it is.
    running: Vec<Name>,
    closed: bool,
}

/// One place in the order.
struct Slot {
    id: u64,
    members: Vec<Cleanup>,
}

impl Stack {
    /// Who is next, with the number of places that are still to be run, this one included. If there is none, every later
    /// cleanup comes too late.
    pub(crate) fn pop_or_close(&mut self) -> Option<(Vec<Cleanup>, u32)> {
        let places = self.places();
        self.running.clear();
        while let Some(slot) = self.slots.pop() {
            if !slot.members.is_empty() {
                self.running.extend(slot.members.iter().map(|cleanup| cleanup.name.clone()));
                return Some((slot.members, u32::try_from(places).unwrap_or(u32::MAX)));
            }
        }
        self.closed = true;
        None
    }

    /// In how many places there is something to run.
    pub(crate) fn places(&self) -> usize {
        self.slots.iter().filter(|slot| !slot.members.is_empty()).count()
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.slots.iter().flat_map(|slot| &slot.members).any(|cleanup| cleanup.name == name)
    }

    #[cfg(all(unix, feature = "app"))]
    pub(crate) fn running(&self) -> &[Name] {
        &self.running
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Gives back what came too late.
    fn push(&mut self, cleanup: Cleanup, group: Option<u64>) -> Option<Cleanup> {
        if self.closed {
            return Some(cleanup);
        }
        match self.slots.iter_mut().find(|slot| Some(slot.id) == group) {
            Some(slot) => slot.members.push(cleanup),
            None => self.slots.push(Slot { id: cleanup.id, members: vec![cleanup] }),
        }
        None
    }

    fn change(&mut self, id: u64, change: impl FnOnce(&mut Cleanup)) {
        let members = self.slots.iter_mut().flat_map(|slot| &mut slot.members);
        if let Some(cleanup) = members.into_iter().find(|cleanup| cleanup.id == id) {
            change(cleanup);
        }
    }

    /// Takes a cleanup that has succeeded out of what the others require.
    fn satisfied(&mut self, name: &str) {
        if !self.contains(name) {
            let members = self.slots.iter_mut().flat_map(|slot| &mut slot.members);
            members.for_each(|cleanup| cleanup.requires.retain(|required| required != name));
        }
    }

    fn remove(&mut self, id: u64) -> Option<Cleanup> {
        self.slots.iter_mut().find_map(|slot| {
            let index = slot.members.iter().position(|cleanup| cleanup.id == id)?;
            Some(slot.members.remove(index))
        })
    }
}

tokio::task_local! {
    /// The shutdown that the current task cleans up for.
    static CLEANS_UP_FOR: Weak<Inner>;
}

/// A cleanup's future, marked as one of `shutdown`'s.
pub(crate) fn marked<F: Future>(
    shutdown: &Arc<Inner>,
    run: F,
) -> impl Future<Output = F::Output> + use<F> {
    CLEANS_UP_FOR.scope(Arc::downgrade(shutdown), run)
}

/// A cleanup that waits for the end of the stop that it is a part of would wait until its time is up.
#[track_caller]
pub(crate) fn forbid_waiting_for_itself(shutdown: &Arc<Inner>) {
    let itself = CLEANS_UP_FOR
        .try_with(|cleaned| std::ptr::eq(cleaned.as_ptr(), Arc::as_ptr(shutdown)))
        .unwrap_or(false);
    assert!(!itself, "a cleanup cannot wait for the end of its own shutdown, which waits for it");
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("places", &self.places()).finish_non_exhaustive()
    }
}
