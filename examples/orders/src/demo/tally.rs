//! What was counted.

use std::{
    collections::BTreeSet,
    fmt::Display,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Failures that are kept in words.
const EXAMPLES: usize = 5;

#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    pub(super) requests: u64,
    /// Whatever a client without retries would have seen: refused, reset, truncated, late, or answered with an error.
    pub(super) failures: u64,
    pub(super) examples: Vec<String>,
    /// How long each request took, the fastest first.
    pub(super) times: Vec<Duration>,
    /// The orders that the service has said it has.
    pub(super) orders: BTreeSet<String>,
    /// Event streams that have ended.
    pub(super) streams: u64,
    pub(super) goodbyes: u64,
    pub(super) events: u64,
}

impl Tally {
    pub(super) fn answered(&self, within: Duration) {
        let mut counts = self.lock();
        counts.requests += 1;
        counts.times.push(within);
    }

    pub(super) fn acknowledged(&self, order: &str) {
        self.lock().orders.insert(order.to_owned());
    }

    pub(super) fn stream_ended(&self, with_goodbye: bool) {
        let mut counts = self.lock();
        counts.streams += 1;
        counts.goodbyes += u64::from(with_goodbye);
    }

    pub(super) fn event(&self) {
        self.lock().events += 1;
    }

    pub(super) fn failed(&self, what: impl Display) {
        let mut counts = self.lock();
        counts.failures += 1;
        if counts.examples.len() < EXAMPLES {
            counts.examples.push(what.to_string());
        }
    }

    /// What happens right now.
    pub(super) fn line(&self) -> String {
        let counts = self.lock();
        format!("{:6} requests, {} failed", counts.requests, counts.failures)
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = self.lock().clone();
        counts.times.sort_unstable();
        counts
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
