//! What wakes the thread that watches.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

#[derive(Debug, Default)]
pub(crate) struct Alarm {
    state: Mutex<State>,
    has_rung: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_ringing: bool,
    is_over: bool,
}

/// Why a wait has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Something may have happened.
    Rung,
    /// It is time.
    Due,
    /// Nobody is interested any more.
    Over,
}

impl Alarm {
    pub(crate) fn ring(&self) {
        self.lock().is_ringing = true;
        self.has_rung.notify_all();
    }

    pub(crate) fn wait(&self, deadline: Instant) -> Woken {
        let mut state = self.lock();
        loop {
            if state.is_over {
                return Woken::Over;
            }
            if std::mem::take(&mut state.is_ringing) {
                return Woken::Rung;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Woken::Due;
            }
            state =
                self.has_rung.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the thread when it is dropped.
#[derive(Debug)]
pub(crate) struct Interest(pub(crate) Arc<Alarm>);

impl Drop for Interest {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.has_rung.notify_all();
    }
}
