//! Records that did not get into the file.

use std::{
    fmt::Display,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use underpin_health::Switch;

use crate::tell;

/// After so long without another one, all is well.
const QUIET: Duration = Duration::from_secs(5);

/// Counts them, and tells the operator and the probes: when they begin, and when they are over.
#[derive(Debug)]
pub(super) struct Losses {
    health: Switch,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    records: u64,
    /// When the last one was lost, while that is not over.
    last: Option<Instant>,
}

impl Losses {
    pub(super) fn new(health: Switch) -> Losses {
        health.up();
        Losses { health, state: Mutex::default() }
    }

    /// So many were lost: none, if the log cannot be written and nobody has tried.
    pub(super) fn lost(&self, records: usize, why: &dyn Display) {
        let mut state = self.state();
        state.records += records as u64;
        let is_first = state.last.replace(Instant::now()).is_none();
        // Under the lock, so that an old word is not the last one.
        self.health.down(format!("{} records were lost: {why}", state.records));
        drop(state);
        if is_first {
            tell(&format!("activity log: records are being lost: {why}"));
        }
    }

    /// Looks whether it is over.
    pub(super) fn look(&self) {
        let mut state = self.state();
        if state.last.is_some_and(|last| last.elapsed() >= QUIET) {
            state.last = None;
            self.health.up();
            let records = state.records;
            drop(state);
            tell(&format!("activity log: all is well again, {records} records were lost"));
        }
    }

    #[cfg(test)]
    pub(super) fn records(&self) -> u64 {
        self.state().records
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;
    use underpin_health::{Health, State};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_degraded_while_records_are_lost_and_for_a_while_after() {
        let health = Health::new();
        let losses = Losses::new(health.switch("activity log"));
        let state = || {
            let part = health.snapshot().parts.swap_remove(0);
            (part.state, part.reason.unwrap_or_default())
        };
        assert_eq!(state().0, State::Up);
        losses.lost(2, &"the disk is full");
        losses.look();
        assert_eq!(state(), (State::Down, "2 records were lost: the disk is full".into()));
        advance(QUIET / 2).await;
        losses.lost(1, &"the disk is full");
        advance(QUIET * 9 / 10).await;
        losses.look();
        assert_eq!(state(), (State::Down, "3 records were lost: the disk is full".into()));
        advance(QUIET / 10).await;
        losses.look();
        assert_eq!(state().0, State::Up);
    }
}
