//! What the crate says while it stops. The names and fields are part of its API.
//!
//! Nothing here is called by the signal thread or the watchdog: a subscriber may block, and they may not.

#[cfg(feature = "tracing")]
mod tracing_events {
    use std::panic::Location;

    use crate::{
        phase::{Phase, Reason},
        report::{CleanupReport, Report},
    };

    pub(crate) fn began(reason: &Reason) {
        tracing::info!(target: "shutdown", %reason, "shutdown began");
    }

    pub(crate) fn phase(phase: Phase) {
        tracing::info!(target: "shutdown", %phase, "shutdown phase");
    }

    pub(crate) fn cleanup_started(cleanup: &str) {
        tracing::info!(target: "shutdown", cleanup, "cleanup started");
    }

    pub(crate) fn cleanup_ended(ended: &CleanupReport) {
        let (cleanup, outcome, used) = (ended.name(), ended.outcome(), ended.used().as_secs_f64());
        if outcome.is_ok() {
            tracing::info!(target: "shutdown", cleanup, %outcome, used, "cleanup ended");
        } else {
            tracing::error!(target: "shutdown", cleanup, %outcome, used, "cleanup ended");
        }
    }

    pub(crate) fn done(report: &Report) {
        let (used, exit_code) = (report.used().as_secs_f64(), report.exit_code());
        if exit_code == 0 {
            tracing::info!(target: "shutdown", used, exit_code, "shutdown done");
        } else {
            tracing::error!(target: "shutdown", used, exit_code, "shutdown done");
        }
    }

    pub(crate) fn task_panicked(task: &str, started_at: &Location<'_>) {
        tracing::error!(target: "shutdown", task, %started_at, "task panicked");
    }

    #[cfg(feature = "hyper")]
    pub(crate) fn accept_failed(error: &std::io::Error) {
        tracing::error!(target: "shutdown", %error, "accept failed");
    }

    pub(crate) fn dropped(cleanups: usize) {
        tracing::warn!(target: "shutdown", cleanups, "dropped without `complete`: cleanups were not run");
    }
}

#[cfg(not(feature = "tracing"))]
mod tracing_events {
    use std::panic::Location;

    use crate::{
        phase::{Phase, Reason},
        report::{CleanupReport, Report},
    };

    pub(crate) fn began(_: &Reason) {}
    pub(crate) fn phase(_: Phase) {}
    pub(crate) fn cleanup_started(_: &str) {}
    pub(crate) fn cleanup_ended(_: &CleanupReport) {}
    pub(crate) fn done(_: &Report) {}
    pub(crate) fn task_panicked(_: &str, _: &Location<'_>) {}
    #[cfg(feature = "hyper")]
    pub(crate) fn accept_failed(_: &std::io::Error) {}
    pub(crate) fn dropped(_: usize) {}
}

pub(crate) use tracing_events::*;
