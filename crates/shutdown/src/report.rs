//! How a stop went: who used how much of what, and what was left behind.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{
    phase::{Name, Phase, Reason},
    tracker,
};

/// How a stop went. Shown, it fits on a screen.
#[derive(Debug, Clone)]
pub struct Report {
    pub(crate) reason: Reason,
    pub(crate) budget: Duration,
    pub(crate) used: Duration,
    pub(crate) phases: Vec<PhaseReport>,
    pub(crate) main: MainReport,
    pub(crate) trackers: Vec<TrackerReport>,
    pub(crate) cleanups: Vec<CleanupReport>,
    pub(crate) late_cleanups: Arc<AtomicUsize>,
    /// How long the runtime's threads were waited for in vain.
    pub(crate) runtime_left: Option<Duration>,
}

/// How the main future ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MainReport {
    /// There was none.
    None,
    /// It runs.
    Running,
    /// It returned.
    Returned,
    /// It returned an error.
    Failed(Name),
    /// It returned because a stop came during [`startup`](crate::Shutdown::startup).
    Interrupted,
    /// It panicked.
    Panicked(Name),
    /// It was dropped, because it had not ended when its time was up.
    Abandoned,
}

/// What a phase used of its time. Phases without time of their own, and those that were skipped, are not listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseReport {
    pub(crate) phase: Phase,
    pub(crate) budget: Duration,
    pub(crate) used: Duration,
}

/// What a [`Tracker`](crate::Tracker) had in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackerReport {
    name: Name,
    at_trigger: usize,
    cancelled: usize,
    abandoned: usize,
    tasks: Vec<Name>,
}

/// How one cleanup ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanupReport {
    pub(crate) name: Name,
    pub(crate) outcome: CleanupOutcome,
    pub(crate) budget: Duration,
    pub(crate) used: Duration,
}

/// How one cleanup ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CleanupOutcome {
    /// It did what it should.
    Ok,
    /// It returned an error.
    Failed(Name),
    /// It panicked.
    Panicked(Name),
    /// Its time was up, and it was dropped.
    TimedOut,
    /// Its time was up, and it could not even be dropped, because it blocks a thread of the runtime.
    Blocked,
    /// It was not run.
    Skipped(Name),
}

impl Report {
    /// Of a service that could not even begin.
    #[cfg(all(unix, feature = "app"))]
    pub(crate) fn of_failed_start(error: Name) -> Report {
        Report {
            reason: Reason::MainFailed(error),
            budget: Duration::ZERO,
            used: Duration::ZERO,
            phases: Vec::new(),
            main: MainReport::None,
            trackers: Vec::new(),
            cleanups: Vec::new(),
            late_cleanups: Arc::default(),
            runtime_left: None,
        }
    }

    /// Why the stop began.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// 0 when everything came to its end in time; 1 when the service failed, a cleanup did, or something was cut off.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.is_clean())
    }

    /// Whether everything came to its end in time, and nothing failed.
    pub fn is_clean(&self) -> bool {
        let main_is_clean = matches!(
            self.main,
            MainReport::None | MainReport::Running | MainReport::Returned | MainReport::Interrupted
        );
        !self.reason.is_failure()
            && main_is_clean
            && self.trackers.iter().all(|tracker| tracker.cancelled + tracker.abandoned == 0)
            && self.cleanups.iter().all(|cleanup| cleanup.outcome.is_ok())
            && self.late_cleanups() == 0
            && self.runtime_left.is_none()
            && self.used <= self.budget
    }

    /// The whole budget.
    pub fn budget(&self) -> Duration {
        self.budget
    }

    /// What was used of it.
    pub fn used(&self) -> Duration {
        self.used
    }

    /// The phases that took time, in order.
    pub fn phases(&self) -> &[PhaseReport] {
        &self.phases
    }

    /// How the main future ended.
    pub fn main(&self) -> &MainReport {
        &self.main
    }

    /// What was in flight.
    pub fn trackers(&self) -> &[TrackerReport] {
        &self.trackers
    }

    /// The cleanups in the order in which they ran.
    pub fn cleanups(&self) -> &[CleanupReport] {
        &self.cleanups
    }

    /// How many cleanups were registered when all was over: they were dropped. Counts on after the report was made.
    pub fn late_cleanups(&self) -> usize {
        self.late_cleanups.load(Ordering::Relaxed)
    }
}

impl MainReport {
    /// Whether it came to an end of its own.
    pub(crate) fn has_ended(&self) -> bool {
        !matches!(self, MainReport::Running | MainReport::Abandoned)
    }
}

impl PhaseReport {
    /// Which.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What it could have used, with what the phases before it left over.
    pub fn budget(&self) -> Duration {
        self.budget
    }

    /// What it used.
    pub fn used(&self) -> Duration {
        self.used
    }
}

impl TrackerReport {
    pub(crate) fn new(tracker: &tracker::Shared) -> TrackerReport {
        let abandoned = tracker.len();
        let at_cancel = tracker.at_cancel.load(Ordering::Relaxed);
        TrackerReport {
            name: tracker.name.clone(),
            at_trigger: tracker.at_trigger.load(Ordering::Relaxed),
            cancelled: at_cancel.saturating_sub(abandoned),
            abandoned,
            tasks: tracker.tasks(),
        }
    }

    /// The tracker's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many were in flight at the trigger.
    pub fn at_trigger(&self) -> usize {
        self.at_trigger
    }

    /// How many were still there at [`Cancelling`](Phase::Cancelling), and ended when they were told to.
    pub fn cancelled(&self) -> usize {
        self.cancelled
    }

    /// How many were left behind.
    pub fn abandoned(&self) -> usize {
        self.abandoned
    }

    /// The names of the tasks among them.
    pub fn tasks(&self) -> &[Name] {
        &self.tasks
    }
}

impl CleanupReport {
    /// The cleanup's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it ended.
    pub fn outcome(&self) -> &CleanupOutcome {
        &self.outcome
    }

    /// How long it was allowed to take.
    pub fn budget(&self) -> Duration {
        self.budget
    }

    /// How long it took.
    pub fn used(&self) -> Duration {
        self.used
    }
}

impl CleanupOutcome {
    /// Whether it did what it should.
    pub fn is_ok(&self) -> bool {
        *self == CleanupOutcome::Ok
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { reason, budget, used, .. } = self;
        let (used, budget) = (Seconds(*used), Seconds(*budget));
        writeln!(f, "shutdown: {reason}; {used} of {budget}, exit code {}", self.exit_code())?;
        for PhaseReport { phase, budget, used } in &self.phases {
            row(f, &phase.to_string(), &format!("{} of {}", Seconds(*used), Seconds(*budget)))?;
        }
        if self.main != MainReport::None {
            row(f, "main", &self.main.to_string())?;
        }
        rows(f, &self.trackers, |tracker| (tracker.name(), tracker.to_string()))?;
        rows(f, &self.cleanups, |cleanup| (cleanup.name(), cleanup.to_string()))?;
        if let Some(waited) = self.runtime_left {
            row(f, "runtime", &format!("threads still busy after {}", Seconds(waited)))?;
        }
        match self.late_cleanups() {
            0 => Ok(()),
            late => row(f, "too late", &format!("{late} cleanups, not run")),
        }
    }
}

/// More rows of a kind than this would not fit on a screen.
const ROWS: usize = 20;

fn rows<T>(
    f: &mut fmt::Formatter<'_>,
    all: &[T],
    show: impl Fn(&T) -> (&str, String),
) -> fmt::Result {
    for item in all.iter().take(ROWS) {
        let (name, text) = show(item);
        row(f, name, &text)?;
    }
    match all.len().saturating_sub(ROWS) {
        0 => Ok(()),
        more => row(f, "...", &format!("and {more} more")),
    }
}

/// One line, whatever the texts hold.
fn row(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    const WIDTH: usize = 160;
    let line = format!("  {name:<16} {text}");
    let line = line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WIDTH);
    writeln!(f, "{}", line.collect::<String>().trim_end())
}

impl fmt::Display for MainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MainReport::None => f.write_str("none"),
            MainReport::Running => f.write_str("running"),
            MainReport::Returned => f.write_str("returned"),
            MainReport::Failed(error) => write!(f, "failed: {error}"),
            MainReport::Interrupted => f.write_str("interrupted during start-up"),
            MainReport::Panicked(message) => write!(f, "panicked: {message}"),
            MainReport::Abandoned => f.write_str("cut off: it had not returned in time"),
        }
    }
}

impl fmt::Display for TrackerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TrackerReport { at_trigger, cancelled, abandoned, tasks, .. } = self;
        write!(f, "{at_trigger} in flight")?;
        match (cancelled, abandoned) {
            (0, 0) => f.write_str(", drained")?,
            (_, 0) => write!(f, ", {cancelled} cancelled")?,
            (0, _) => write!(f, ", {abandoned} left behind")?,
            _ => write!(f, ", {cancelled} cancelled, {abandoned} left behind")?,
        }
        if !tasks.is_empty() {
            write!(f, ": {}", tasks.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for CleanupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CleanupReport { outcome, budget, used, .. } = self;
        match outcome {
            CleanupOutcome::Skipped(_) => write!(f, "{outcome}"),
            _ => write!(f, "{} of {}, {outcome}", Seconds(*used), Seconds(*budget)),
        }
    }
}

impl fmt::Display for CleanupOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CleanupOutcome::Ok => f.write_str("ok"),
            CleanupOutcome::Failed(error) => write!(f, "failed: {error}"),
            CleanupOutcome::Panicked(message) => write!(f, "panicked: {message}"),
            CleanupOutcome::TimedOut => f.write_str("timed out"),
            CleanupOutcome::Blocked => f.write_str("timed out, and blocks its thread"),
            CleanupOutcome::Skipped(why) => write!(f, "skipped: {why}"),
        }
    }
}

/// Seconds with the digits that matter.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.0.as_secs_f64())
    }
}
