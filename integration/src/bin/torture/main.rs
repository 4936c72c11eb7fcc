//! A service in the trouble that its argument names: `torture CASE`. It says `ready`, and waits to be stopped.

mod cleanups;
mod panics;
mod startup;
mod streams;
mod stuck;

use std::{
    env,
    future::Future,
    io::{self, Write as _},
    process::{ExitCode, Termination as _},
    sync::mpsc,
    time::Duration,
};

use tokio::runtime::Builder;
use underpin_shutdown::{App, Phase, Plan, Report, Shutdown};

use crate::startup::Clock;

/// What stands between the service and its exit.
type Trouble = fn(App) -> Report;

const CASES: &[(&str, Trouble)] = &[
    ("nothing", stuck::nothing),
    ("blocked-worker", stuck::blocked_worker),
    ("blocked-workers", stuck::blocked_workers),
    ("busy-workers", stuck::busy_workers),
    ("blocked-current-thread", stuck::blocked_current_thread),
    ("blocked-main", stuck::blocked_main),
    ("hung-main", stuck::hung_main),
    ("blocked-destructor", stuck::blocked_destructor),
    ("blocking-task", stuck::blocking_task),
    ("stdin-reader", stuck::stdin_reader),
    ("blocked-after-report", stuck::blocked_after_report),
    ("blocked-exit-handler", stuck::blocked_exit_handler),
    ("hung-cleanup", cleanups::hung),
    ("blocking-cleanup", cleanups::blocking),
    ("panicking-cleanup", cleanups::panicking),
    ("recursive-cleanup", cleanups::recursive),
    ("panicking-destructors", cleanups::panicking_destructors),
    ("blocked-telemetry", streams::blocked_telemetry),
    ("telemetry-holds-stderr", streams::telemetry_holds_stderr),
    ("full-stderr", streams::full_stderr),
    ("stderr-without-reader", streams::stderr_without_reader),
    ("panic-of-main", panics::of_main),
    ("panic-of-task", panics::of_task),
    ("panic-stops-service", panics::stops_service),
];

fn main() -> ExitCode {
    let mut clock = Clock::start();
    // First of all, as in every service: from here on no signal is lost.
    let app = App::new("torture");
    clock.installed();
    let app = app.plan(PLAN).runtime(workers());
    let app = match env::var_os("TORTURE_TERMINATION_LOG") {
        Some(path) => app.termination_log(path),
        None => app,
    };
    let case = env::args().nth(1).unwrap_or_default();
    if case == "startup" {
        return startup::run(app, &clock).report();
    }
    match CASES.iter().find(|(name, _)| *name == case) {
        Some((_, trouble)) => trouble(app).report(),
        None => ExitCode::from(2),
    }
}

/// A budget of 600 ms: 294 ms for the drain, 100 ms for what is cancelled, 200 ms for cleanups, 6 ms for the exit.
const PLAN: Plan = Plan::new()
    .budget(Duration::from_millis(600))
    .cancel_window(Duration::from_millis(100))
    .cleanup_reserve(Duration::from_millis(200));

/// The same two workers on every machine.
fn workers() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all();
    builder
}

/// Runs a service with one cleanup, which tells whether the rest of the stop was reached.
fn run<Fut: Future<Output = ()>>(app: App, main: impl FnOnce(Shutdown) -> Fut) -> Report {
    app.run(|shutdown| {
        shutdown.defer("telemetry", |_| async { say("closed telemetry") });
        main(shutdown)
    })
}

async fn until_draining(shutdown: Shutdown) {
    say("ready");
    shutdown.at(Phase::Draining).await;
}

/// Never returns, and holds its thread.
fn block() {
    let (_keep, blocked) = mpsc::channel::<()>();
    let _ = blocked.recv();
}

/// A line for the parent.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
