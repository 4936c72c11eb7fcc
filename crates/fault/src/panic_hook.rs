//! The process's panic hook: one line for every panic, and no panic that waits for its line for ever.

use std::{
    cell::Cell,
    fmt, io,
    panic::{self, PanicHookInfo},
    ptr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

pub use self::record::Panic;
use self::{log::Log, output::Output, reporter::Reporter};

mod log;
mod output;
mod record;
mod reporter;

/// How long a panicking thread waits for its report to be out.
///
/// With 100 ms, a container that is denied the processor for one period of its quota loses its last words: the wait is over before
/// the reporting thread has run at all.
const PATIENCE: Duration = Duration::from_secs(1);

static INSTALLED: AtomicBool = AtomicBool::new(false);
static PANICS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Set on our own threads. Without a destructor, it can be read at any time of a thread's life.
    static IS_REPORTER: Cell<bool> = const { Cell::new(false) };
}

type Observer = Box<dyn Fn(&Panic) + Send + Sync>;
type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// How many panics the process has had since the [hook](PanicHook) was installed, caught ones included.
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

/// A panic hook for services: every panic becomes one line of JSON on stdout, and then what was the hook before runs.
///
/// The panicking thread may hold any lock, stdout's included, and stdout may be a pipe that nobody reads. So it
/// only notes what happened and hands the note to the thread `panic-report`, which writes to a duplicate of stdout's
/// descriptor. It waits at most 1 s for that, so that the line of a panic that ends the process is out; once a wait
/// was in vain, later panics do not wait until reports get through again. At most 64 notes queue up; what comes on top
/// is counted, and the next line says how many were dropped.
///
/// It formats no type of yours: a payload that is neither `&str` nor `String` is shown as `Box<dyn Any>`. It needs no async
/// runtime. Where `RUST_BACKTRACE` or `RUST_LIB_BACKTRACE` asks for backtraces, the panicking thread makes its own, which takes
/// it tens of milliseconds more, as with std's own hook.
///
/// ```json
/// {"timestamp":"2026-11-24T08:00:00.000Z","level":"error","target":"panic","message":"boom","thread":"main",
///  "location":"src/main.rs:2:5","dropped":0}
/// ```
///
/// With the feature `tracing` and a global subscriber that takes it, the report is an event of level `ERROR` and target `panic`
/// with the same fields instead. The event belongs to no span, for asking the subscriber on the panicking thread could deadlock.
///
/// A hook that was set before runs on the panicking thread, as ever. Only std's own, which would write to a stderr that may
/// be blocked, is replaced: the thread `panic-stderr` writes the same text, but for the number of the thread.
///
/// A panic while another unwinds, in a destructor, still ends the process: that is std's rule. Its line is out by then.
///
/// ```
/// use underpin_fault::{PanicHook, panics};
///
/// PanicHook::new()
///     .on_panic(|panic| assert_eq!(panic.message(), "boom"))
///     .install()
///     .expect("the first and only hook");
/// let _ = std::thread::spawn(|| panic!("boom")).join();
/// assert_eq!(panics(), 1);
/// ```
#[must_use = "nothing happens before `install`"]
pub struct PanicHook {
    keeps_previous: bool,
    observers: Vec<Observer>,
}

impl PanicHook {
    /// A hook that reports, and runs what was the hook before.
    pub fn new() -> PanicHook {
        PanicHook { keeps_previous: true, observers: Vec::new() }
    }

    /// Does not run what was the hook before, nor write std's text to stderr.
    pub fn without_previous(mut self) -> PanicHook {
        self.keeps_previous = false;
        self
    }

    /// Calls `observer` after every report, on the thread `panic-report`: to count, to flush, to begin a shutdown. What it
    /// does counts toward the 1 s; if it panics, that is reported, too, and does no further harm. One that never returns ends all
    /// reporting.
    pub fn on_panic(mut self, observer: impl Fn(&Panic) + Send + Sync + 'static) -> PanicHook {
        self.observers.push(Box::new(observer));
        self
    }

    /// Installs it for the rest of the process. Do this first thing in `main`: what stdout is now is where reports go.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` where it is installed already; the system's error where it cannot start a thread; `Other` on a
    /// thread that is panicking, where hooks cannot change.
    pub fn install(self) -> io::Result<()> {
        if thread::panicking() {
            return Err(io::Error::other(
                "a panicking thread cannot install the panic hook, do it first thing in main",
            ));
        }
        if INSTALLED.swap(true, Ordering::Relaxed) {
            let message =
                "the panic hook is installed already, install it once, first thing in main";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        self.start().inspect_err(|_| INSTALLED.store(false, Ordering::Relaxed))
    }

    fn start(self) -> io::Result<()> {
        let log = Arc::new(Log::new(Output::stdout(), self.observers));
        let handler = Arc::clone(&log);
        let reporter =
            Reporter::spawn("panic-report", move |panic, dropped| handler.report(panic, dropped))?;
        let text = if self.keeps_previous { Some(text_reporter()?) } else { None };
        // From here on nothing fails, so that an error leaves the old hook in place.
        let previous = if self.keeps_previous { take_previous() } else { None };
        let text = text.filter(|_| previous.is_none());
        panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            let panic = Arc::new(Panic::new(info));
            if IS_REPORTER.get() {
                // The thread cannot wait for itself. It is in an observer or a subscriber, neither of which is told.
                log.write(&panic, 0);
                return;
            }
            let deadline = Instant::now() + PATIENCE;
            let logged = reporter.submit(&panic);
            let printed = text.as_ref().map(|text| (text, text.submit(&panic)));
            if let Some(previous) = &previous {
                previous(info);
            }
            reporter.wait(logged, deadline);
            if let Some((text, printed)) = printed {
                text.wait(printed, deadline);
            }
        }));
        Ok(())
    }
}

impl Default for PanicHook {
    fn default() -> PanicHook {
        PanicHook::new()
    }
}

impl fmt::Debug for PanicHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PanicHook")
            .field("keeps_previous", &self.keeps_previous)
            .field("observers", &self.observers.len())
            .finish()
    }
}

/// Writes what std's own hook writes, on a thread of its own: a blocked stderr must not hold the log back, nor a blocked
/// stdout the text.
fn text_reporter() -> io::Result<Reporter> {
    let stderr = Output::stderr();
    let mut hint =
        "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
    Reporter::spawn("panic-stderr", move |panic, _dropped| {
        let text = panic.text(hint);
        hint = "";
        stderr.write(text.as_bytes())
    })
}

/// The hook that somebody set before, if somebody did.
fn take_previous() -> Option<Hook> {
    let previous = panic::take_hook();
    // Now none is set, and std hands out its own.
    let own = panic::take_hook();
    // Both boxes hold functions without a size, so that only the vtables tell them apart. Both were made by the same line of std;
    // should they ever differ, std's own would run as if somebody had set it.
    let is_own = ptr::eq(&raw const *previous, &raw const *own);
    (!is_own).then_some(previous)
}
