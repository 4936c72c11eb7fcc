//! A runtime whose clock only moves when nothing else can.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::runtime::Builder;

pub(crate) fn run<F: Future>(test: F) -> F::Output {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(test)
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await; // sleep-ok: virtual time
}

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Story(Arc<Mutex<Vec<String>>>);

impl Story {
    pub(crate) fn tell(&self, what: impl Into<String>) {
        self.0.lock().expect("nobody panics while telling").push(what.into());
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics while telling").clone()
    }
}
