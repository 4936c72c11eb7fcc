//! A process around the state machine: signals, runtime, main, phases, report, exit code.

use std::{
    fmt,
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    process::{ExitCode, Termination},
    time::{Duration, Instant},
};

use tokio::runtime::{Builder, Runtime};

use self::watchdog::Watchdog;
use crate::{
    outcome::IntoOutcome, phase::Name, plan::Plan, report::Report, sequence, shutdown::Shutdown,
    signals::Signals,
};

pub(crate) mod last_words;
mod watchdog;

/// Owns the process: signals, runtime, `main`, the phases of its stop, report and exit code.
///
/// ```no_run
/// use underpin_shutdown::{App, Phase, Report};
///
/// fn main() -> Report {
///     App::new("orders").run(|shutdown| async move {
///         shutdown.defer("postgres", |_| async { /* close the pool */ });
///         shutdown.at(Phase::Draining).await;
///     })
/// }
/// ```
///
/// The report goes to stderr, and to the termination log where that exists; its exit code becomes the process's when `main` returns it:
///
/// | | |
/// |--:|---|
/// | 0 | a clean stop, whether by a signal or because `main` returned |
/// | 1 | an error of start-up or `main`, a panic of `main`, a cleanup that failed, or a stop that overran or left something behind |
/// | 128 + n | a second signal at least 300 ms after the first |
///
/// Load the configuration before this, so that a bad one has an exit code of its own, 78 by convention.
///
/// Two threads come with it. `signals` is described at [`Signals`]. `watchdog` sleeps until the trigger, and then until the end of
/// the budget, when it ends the process with what can be said about who is late, even if every thread of the runtime is blocked, stderr is
/// full, or `main` does something else after [`run`](App::run). It skips destructors then.
#[must_use = "nothing happens before `run`"]
pub struct App {
    name: Name,
    plan: Plan,
    runtime: Option<Builder>,
    signals: io::Result<Signals>,
    termination_log: PathBuf,
}

impl App {
    /// Latches the signals: the first statement of `main`. The name begins the report.
    pub fn new(name: impl Into<Name>) -> App {
        App {
            signals: Signals::install(),
            name: name.into(),
            plan: Plan::detect(),
            runtime: None,
            termination_log: PathBuf::from("/dev/termination-log"),
        }
    }

    /// Instead of [`Plan::detect`].
    pub fn plan(mut self, plan: Plan) -> App {
        self.plan = plan;
        self
    }

    /// Instead of tokio's multi-threaded runtime with all drivers. The builder must enable time.
    pub fn runtime(mut self, runtime: Builder) -> App {
        self.runtime = Some(runtime);
        self
    }

    /// Kubernetes' `terminationMessagePath`, if it is not `/dev/termination-log`. Only a file that exists is written, 4 KiB at most.
    pub fn termination_log(mut self, path: impl Into<PathBuf>) -> App {
        self.termination_log = path.into();
        self
    }

    /// Runs the service until it has stopped, as [`Shutdown::run`] does.
    ///
    /// The runtime's threads are then waited for as long as the plan's cancel window, at most half of what is left of the budget.
    ///
    /// Nothing panics or is returned as an error: what keeps the service from starting is in the report.
    pub fn run<F, Fut, T>(self, main: F) -> Report
    where
        F: FnOnce(Shutdown) -> Fut,
        Fut: Future<Output = T>,
        T: IntoOutcome,
    {
        let App { name, plan, runtime, signals, termination_log } = self;
        let begun = || -> Result<_, String> {
            let signals = signals.map_err(|error| format!("signals cannot be handled: {error}"))?;
            plan.validate().map_err(|error| error.to_string())?;
            let runtime = runtime.unwrap_or_else(all_drivers).build();
            let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
            let shutdown = Shutdown::new(plan);
            let watchdog =
                Watchdog::start(name.clone(), &shutdown, runtime.handle(), termination_log.clone());
            let watchdog = watchdog.map_err(|error| format!("no watchdog: {error}"))?;
            signals.attach(&shutdown);
            Ok((shutdown, watchdog, runtime))
        };
        let (shutdown, watchdog, runtime) = match begun() {
            Ok(begun) => begun,
            Err(error) => {
                let report = Report::of_failed_start(error.into());
                last_words::say(format!("{name} {report}"), Some(termination_log), PATIENCE);
                return report;
            }
        };
        let handle = shutdown.clone();
        // The closure is called by the future, so that its panic is `main`'s.
        let main = async move { main(handle).await.into_outcome() };
        let failure = |outcome: &Result<(), Name>| outcome.as_ref().err().cloned();
        let (_, mut report) =
            runtime.block_on(sequence::drive(&shutdown.inner, Some(main), failure));
        let left = shutdown.remaining().unwrap_or_default();
        report.runtime_left = end(runtime, shutdown.inner.plan.cancelled_for().min(left / 2));
        report.used = shutdown.inner.begun_at().elapsed();
        let patience = shutdown.remaining().unwrap_or_default() / 2;
        let patience = patience.clamp(last_words::SHORT, PATIENCE);
        watchdog.report(report.exit_code(), || {
            last_words::say(format!("{name} {report}"), Some(termination_log), patience);
        });
        report
    }
}

/// How long the report may take to be written when there is time: a container that is short of processor time needs some.
const PATIENCE: Duration = Duration::from_secs(1);

fn all_drivers() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.enable_all();
    builder
}

/// Ends a runtime: how long its threads were waited for in vain.
fn end(runtime: Runtime, patience: Duration) -> Option<Duration> {
    let begin = Instant::now();
    // A future that panics while it is dropped must not cost the report.
    let _ = catch_unwind(AssertUnwindSafe(|| runtime.shutdown_timeout(patience)));
    (begin.elapsed() >= patience).then_some(patience)
}

impl Termination for Report {
    /// The exit code. The report itself was shown by [`App::run`].
    fn report(self) -> ExitCode {
        ExitCode::from(self.exit_code())
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("name", &self.name)
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}
