//! Where a stop stands, and why it began.

use std::{borrow::Cow, fmt};

/// A short name for the report: mostly a literal.
pub type Name = Cow<'static, str>;

/// Where a stop stands. A process goes through all of them once, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Phase {
    /// Nothing has asked for a stop.
    Running,
    /// The instance says that it leaves and still takes everything, while load balancers learn of it. Consumers that no
    /// balancer feeds stop pulling here. Skipped when the plan has none, when start-up was not over, and when there is nothing left to serve.
    LameDuck,
    /// Nothing new is admitted; what is in flight goes on. Streams without an end say goodbye here.
    Draining,
    /// What is still in flight is told to stop at once.
    Cancelling,
    /// The cleanups run, the last registered first.
    Cleanup,
    /// All is over; only the exit is left.
    Done,
}

impl Phase {
    pub(crate) const ALL: [Phase; 6] = [
        Phase::Running,
        Phase::LameDuck,
        Phase::Draining,
        Phase::Cancelling,
        Phase::Cleanup,
        Phase::Done,
    ];

    pub(crate) fn from_u8(value: u8) -> Phase {
        Phase::ALL.get(usize::from(value)).copied().unwrap_or(Phase::Done)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Phase::Running => "running",
            Phase::LameDuck => "lame duck",
            Phase::Draining => "draining",
            Phase::Cancelling => "cancelling",
            Phase::Cleanup => "cleanup",
            Phase::Done => "done",
        })
    }
}

/// Why a stop began. Of several, the first is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A signal, by its number.
    Signal(i32),
    /// An HTTP `preStop` hook was called.
    PreStop,
    /// The program asked for it.
    Requested(Name),
    /// The main future came to its end.
    MainReturned,
    /// Start-up, or the main future, failed.
    MainFailed(Name),
    /// A task that the program cannot do without has failed.
    TaskFailed {
        /// The task.
        task: Name,
        /// What it said.
        error: Name,
    },
    /// Something panicked.
    Panic(Name),
}

impl Reason {
    /// Whether the stop is a failure already, however well it goes.
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self, Reason::MainFailed(_) | Reason::TaskFailed { .. } | Reason::Panic(_))
    }

    /// Whether nobody is left to serve during a lame duck.
    pub(crate) fn ends_service(&self) -> bool {
        matches!(self, Reason::MainReturned | Reason::MainFailed(_))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Signal(2) => f.write_str("SIGINT"),
            Reason::Signal(15) => f.write_str("SIGTERM"),
            Reason::Signal(number) => write!(f, "signal {number}"),
            Reason::PreStop => f.write_str("the preStop hook"),
            Reason::Requested(by) => write!(f, "{by}"),
            Reason::MainReturned => f.write_str("main returned"),
            Reason::MainFailed(error) => write!(f, "main failed: {error}"),
            Reason::TaskFailed { task, error } => write!(f, "task {task} failed: {error}"),
            Reason::Panic(message) => write!(f, "panic: {message}"),
        }
    }
}
