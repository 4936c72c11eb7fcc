//! What a user of the crate notices, under paused time.

#[cfg(feature = "cron")]
mod cron;
mod ending;
#[cfg(feature = "tracing")]
mod events;
mod failure;
mod overlap;
mod rhythm;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

/// Notes when runs start and end, and how many are active at once.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    starts: Mutex<Vec<Instant>>,
    active: AtomicUsize,
    most: AtomicUsize,
    ended: AtomicUsize,
}

impl Log {
    /// A run that takes `time`; dropping it early does not count as its end.
    async fn run(self, time: Duration) {
        struct Active(Log);
        impl Drop for Active {
            fn drop(&mut self) {
                self.0.0.active.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.0.starts.lock().expect("no test panics here").push(Instant::now());
        let active = self.0.active.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(active, Ordering::SeqCst);
        let guard = Active(self.clone());
        sleep(time).await; // sleep-ok: a run that takes a time, on a clock that is paused
        self.0.ended.fetch_add(1, Ordering::SeqCst);
        drop(guard);
    }

    /// When runs started, in milliseconds after `begun`.
    fn starts(&self, begun: Instant) -> Vec<u128> {
        let starts = self.0.starts.lock().expect("no test panics here");
        starts.iter().map(|start| (*start - begun).as_millis()).collect()
    }

    fn active(&self) -> usize {
        self.0.active.load(Ordering::SeqCst)
    }

    fn most(&self) -> usize {
        self.0.most.load(Ordering::SeqCst)
    }

    fn ended(&self) -> usize {
        self.0.ended.load(Ordering::SeqCst)
    }
}

/// Lets paused time pass.
async fn pass(millis: u64) {
    sleep(Duration::from_millis(millis)).await; // sleep-ok: the clock is paused
}
