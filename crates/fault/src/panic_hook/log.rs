//! The log that panics are reported to.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Observer, Panic, output::Output};

/// Where reports go, and who is told.
pub(super) struct Log {
    stdout: Output,
    observers: Vec<Observer>,
}

impl Log {
    pub(super) fn new(stdout: Output, observers: Vec<Observer>) -> Log {
        Log { stdout, observers }
    }

    /// Logs the panic and tells the observers. Says whether it was logged.
    pub(super) fn report(&self, panic: &Panic, dropped: u64) -> bool {
        // A subscriber that panics has logged nothing for sure; twice is better than never.
        let is_logged = catch_unwind(AssertUnwindSafe(|| emit(panic, dropped))).unwrap_or(false);
        let is_out = is_logged || self.write(panic, dropped);
        for observer in &self.observers {
            // One that panics is reported by the hook and must not keep the others from being told.
            let _ = catch_unwind(AssertUnwindSafe(|| observer(panic)));
        }
        is_out
    }

    /// Writes the line.
    pub(super) fn write(&self, panic: &Panic, dropped: u64) -> bool {
        self.stdout.write(panic.json(dropped).as_bytes())
    }
}

/// Hands the panic to the global subscriber, if there is one that takes it.
#[cfg(feature = "tracing")]
fn emit(panic: &Panic, dropped: u64) -> bool {
    if !tracing::enabled!(target: "panic", tracing::Level::ERROR) {
        return false;
    }
    tracing::error!(
        target: "panic",
        thread = panic.thread(),
        location = panic.location(),
        backtrace = panic.backtrace(),
        dropped,
        "{}",
        panic.message(),
    );
    true
}

#[cfg(not(feature = "tracing"))]
fn emit(_panic: &Panic, _dropped: u64) -> bool {
    false
}
