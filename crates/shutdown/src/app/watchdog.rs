//! The thread that ends the process at the deadline, whatever the rest of it does.

use std::{
    fmt::Write as _,
    future::Future,
    io,
    path::PathBuf,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
        mpsc::{self, Sender},
    },
    task::{Context, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use tokio::runtime::Handle;

use crate::{
    app::last_words,
    phase::{Name, Phase},
    shutdown::{Inner, Shutdown},
};

const NOT_YET: i32 = -1;

/// A budget of milliseconds needs no more turns than this.
const SHORTEST_TURN: Duration = Duration::from_millis(1);

/// Ends the process at the deadline. It is never called off: `main` may hang after it has its report, too.
#[derive(Debug)]
pub(super) struct Watchdog {
    /// Whoever sets it has the word, so that there is one report.
    exit_code: Arc<AtomicI32>,
    /// Gone when the report is out.
    _speaks: Sender<()>,
}

impl Watchdog {
    pub(super) fn start(
        name: Name,
        shutdown: &Shutdown,
        runtime: &Handle,
        termination_log: PathBuf,
    ) -> io::Result<Watchdog> {
        let exit_code = Arc::new(AtomicI32::new(NOT_YET));
        let (shutdown, code) = (shutdown.clone(), exit_code.clone());
        let runtime = runtime.clone();
        let (speaks, spoke) = mpsc::channel();
        let watch = move || {
            wait(shutdown.at(Phase::LameDuck));
            let end = Instant::now() + shutdown.remaining().unwrap_or_default();
            let turn = shutdown.inner.plan.exit_reserve() / 2;
            loop {
                match end.saturating_duration_since(Instant::now()) {
                    Duration::ZERO => break,
                    left => thread::sleep(left.min(turn.max(SHORTEST_TURN))),
                }
                if shutdown.phase() < Phase::Done {
                    turn_timers(&runtime);
                }
            }
            let exit_code = match set(&code, 1) {
                Ok(()) => {
                    let text = overran(&name, &shutdown.inner);
                    last_words::say(text, Some(termination_log), last_words::SHORT);
                    1
                }
                Err(reported) => {
                    // Nearly always long ago. After a SIGCONT it may be this moment.
                    let _ = spoke.recv_timeout(last_words::SHORT);
                    reported
                }
            };
            signal_hook::low_level::exit(exit_code);
        };
        thread::Builder::new().name("watchdog".to_owned()).spawn(watch)?;
        Ok(Watchdog { exit_code, _speaks: speaks })
    }

    /// Says the report. From then on the process only has to exit: if it does not, the watchdog does it with this code.
    ///
    /// When the deadline has come first, this does not return: the watchdog says what it knows, and exits.
    pub(super) fn report(self, exit_code: u8, say: impl FnOnce()) {
        while set(&self.exit_code, i32::from(exit_code)).is_err() {
            thread::park();
        }
        say();
    }
}

/// Sets the exit code, or tells the one that was set before.
fn set(code: &AtomicI32, to: i32) -> Result<(), i32> {
    code.compare_exchange(NOT_YET, to, Ordering::AcqRel, Ordering::Acquire).map(drop)
}

/// Has another worker look after the timers. The one that did may have been woken by one of them, run a task, and be blocked by it; the
/// others sleep and do not know, and without timers the sequence would stand still. An empty task wakes one of them, and
/// when that goes back to sleep it takes the timers over.
fn turn_timers(runtime: &Handle) {
    drop(runtime.spawn(async {}));
}

/// Who is to blame, as far as it can be told from outside.
fn overran(name: &str, shutdown: &Inner) -> String {
    let budget = shutdown.plan.line(shutdown.begun_at()).deadline - shutdown.begun_at();
    let (phase, budget) = (shutdown.phase(), budget.as_secs_f64());
    let mut text =
        format!("{name} shutdown: overran its {budget:.3} s while {phase}, exit code 1\n");
    if let Some(reason) = shutdown.reason() {
        let _ = writeln!(text, "  reason           {reason}");
    }
    for tracker in shutdown.trackers().iter().filter(|tracker| tracker.len() > 0) {
        let tasks = tracker.tasks().join(", ");
        let _ = writeln!(text, "  {:<16} {} left behind {tasks}", tracker.name, tracker.len());
    }
    for cleanup in shutdown.stack().running() {
        let _ = writeln!(text, "  {cleanup:<16} running");
    }
    text
}

/// Waits for a future without a runtime.
fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Unpark>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let std::task::Poll::Ready(output) =
            future.as_mut().poll(&mut Context::from_waker(&waker))
        {
            return output;
        }
        thread::park();
    }
}
