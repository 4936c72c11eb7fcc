//! Tokio's clock for those that take one of their own making. It can be set back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clock_lib::{Clock as TheirClock, Monotonic, Wall};
use tokio::time::Instant;

/// Clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock {
    began: Instant,
    epoch: Monotonic,
    behind: Arc<AtomicU64>,
}

/// Later than its own beginning, so that it can be behind.
const HEAD_START: Duration = Duration::from_secs(3600);

impl Clock {
    /// One that begins now.
    pub fn new() -> Clock {
        Clock { began: Instant::now(), epoch: Monotonic::now(), behind: Arc::default() }
    }

    /// What it shows.
    pub fn since(&self) -> Duration {
        let behind = Duration::from_nanos(self.behind.load(Ordering::Acquire));
        (self.began.elapsed() + HEAD_START).saturating_sub(behind)
    }

    /// Does something with a clock that is behind.
    pub fn behind<T>(&self, time: Duration, work: impl FnOnce() -> T) -> T {
        let nanos = u64::try_from(time.as_nanos()).expect("it is a short time");
        self.behind.store(nanos, Ordering::Release);
        let result = work();
        self.behind.store(0, Ordering::Release);
        result
    }
}

impl TheirClock for Clock {
    fn now(&self) -> Monotonic {
        self.epoch.saturating_add(self.since())
    }

    fn wall(&self) -> Wall {
        Wall::now()
    }
}

impl governor::clock::Clock for Clock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.since()
    }
}

// Cases that wait do so on the real clock.
impl governor::clock::ReasonablyRealtime for Clock {}
