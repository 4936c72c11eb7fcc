//! Signs of life.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{record::micros, registry::Registry};

/// In place of the time of the last beat, where none is expected any more.
const FINISHED: u64 = u64::MAX;

/// A sign of life that a task gives, from [`Health::heartbeat`](crate::Health::heartbeat).
///
/// Dropping it does not end the watch: a task that panics drops its heartbeat, and that must show.
/// A task that is done says so with [`finish`](Self::finish).
#[must_use = "a heartbeat that never beats makes liveness fail"]
pub struct Heartbeat {
    pulse: Arc<Pulse>,
    registry: Arc<Registry>,
}

impl Heartbeat {
    pub(crate) fn new(pulse: Arc<Pulse>, registry: Arc<Registry>) -> Self {
        Self { pulse, registry }
    }

    /// Says that the task is alive: a look at the clock and one store.
    pub fn beat(&self) {
        self.pulse.beat(self.registry.now());
    }

    /// Says that the task has ended as it should; its silence means nothing from now on.
    pub fn finish(self) {
        self.pulse.last.store(FINISHED, Ordering::Release);
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.pulse.held.store(false, Ordering::Release);
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeat").field("name", &self.pulse.name).finish_non_exhaustive()
    }
}

pub(crate) struct Pulse {
    pub(crate) name: String,
    last: AtomicU64,
    max_silence: AtomicU64,
    held: AtomicBool,
}

impl Pulse {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            last: AtomicU64::new(FINISHED),
            max_silence: AtomicU64::new(0),
            held: AtomicBool::new(false),
        }
    }

    /// Makes it the pulse of a new task.
    pub(crate) fn arm(&self, max_silence: Duration, now: Duration) {
        self.held.store(true, Ordering::Release);
        self.max_silence.store(micros(max_silence), Ordering::Release);
        self.beat(now);
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::Acquire)
    }

    pub(crate) fn beat(&self, now: Duration) {
        self.last.store(micros(now), Ordering::Release);
    }

    /// How long it has been silent, or `None` if nothing is expected of it.
    pub(crate) fn silence(&self, now: Duration) -> Option<Duration> {
        let last = self.last.load(Ordering::Acquire);
        (last != FINISHED).then(|| now.saturating_sub(Duration::from_micros(last)))
    }

    pub(crate) fn is_silent(&self, now: Duration) -> bool {
        let limit = Duration::from_micros(self.max_silence.load(Ordering::Acquire));
        self.silence(now).is_some_and(|silence| silence > limit)
    }
}
