//! How long a stop may take, and how that time is divided.

use std::{env, error::Error, fmt, time::Duration};

use tokio::time::Instant;

/// What the container's owner may expect after the process has exited in time: nothing on this machine takes longer to notice.
const GRACE_MARGIN: Duration = Duration::from_secs(1);

/// A stop longer than this is a wrong unit.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a stop may take, and how that time is divided.
///
/// There is one budget, counted from the trigger. The phases are slices of it: time that one leaves unused goes to the next.
///
/// ```text
/// trigger                                                                        deadline
///    |-- lame duck --|------------ draining ------------|- cancelling -|- cleanup -|exit|
///                                                        cancel window   reserve
/// ```
///
/// The last 1 % of the budget, at most 250 ms, is kept for the exit itself: threads, report, exit code.
///
/// ```
/// use std::time::Duration;
/// use underpin_shutdown::Plan;
///
/// let plan = Plan::kubernetes().grace(Duration::from_secs(35)).pre_stop_slept(Duration::from_secs(5));
/// assert!(plan.validate().is_ok());
/// assert!(plan.budget(Duration::from_secs(40)).validate().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Plan {
    budget: Duration,
    lame_duck: Duration,
    cancel_window: Duration,
    cleanup_reserve: Duration,
    grace: Option<Duration>,
    pre_stop: Duration,
}

/// A [`Plan`] that cannot be kept, with what to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanError(Mistake);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    Slices { sum: Duration, budget: Duration },
    Grace { needed: Duration, grace: Duration },
    TooLong { budget: Duration },
}

impl Plan {
    /// 25 s without a lame duck, of which 1 s is for cancelled work and 5 s are for cleanups.
    pub const fn new() -> Plan {
        Plan {
            budget: Duration::from_secs(25),
            lame_duck: Duration::ZERO,
            cancel_window: Duration::from_secs(1),
            cleanup_reserve: Duration::from_secs(5),
            grace: None,
            pre_stop: Duration::ZERO,
        }
    }

    /// As [`new`](Plan::new), with 5 s of lame duck, inside Kubernetes' default grace of 30 s.
    pub const fn kubernetes() -> Plan {
        Plan::new().lame_duck(Duration::from_secs(5)).grace(Duration::from_secs(30))
    }

    /// [`kubernetes`](Plan::kubernetes) where `KUBERNETES_SERVICE_HOST` is set, as it is in every pod, and otherwise [`new`](Plan::new).
    pub fn detect() -> Plan {
        match env::var_os("KUBERNETES_SERVICE_HOST") {
            Some(_) => Plan::kubernetes(),
            None => Plan::new(),
        }
    }

    /// From the trigger to the exit of the process, everything included.
    pub const fn budget(mut self, budget: Duration) -> Plan {
        self.budget = budget;
        self
    }

    /// How long everything is still accepted after the trigger, while load balancers hear that this instance leaves.
    pub const fn lame_duck(mut self, lame_duck: Duration) -> Plan {
        self.lame_duck = lame_duck;
        self
    }

    /// How long work may take to end after it was cancelled.
    pub const fn cancel_window(mut self, window: Duration) -> Plan {
        self.cancel_window = window;
        self
    }

    /// What is kept for cleanups, however long the draining takes.
    pub const fn cleanup_reserve(mut self, reserve: Duration) -> Plan {
        self.cleanup_reserve = reserve;
        self
    }

    /// When the supervisor kills: `terminationGracePeriodSeconds`, systemd's `TimeoutStopSec`.
    ///
    /// Only [`validate`](Plan::validate) reads it: what comes before the signal, the budget and 1 s must fit.
    pub const fn grace(mut self, grace: Duration) -> Plan {
        self.grace = Some(grace);
        self
    }

    /// Says that a `preStop` hook sleeps for this long before the signal comes.
    ///
    /// The sleep counts in the [grace](Plan::grace), and it was most of a lame duck already: of that, at most 1 s is left.
    pub const fn pre_stop_slept(mut self, slept: Duration) -> Plan {
        const LEFT: Duration = Duration::from_secs(1);
        self.pre_stop = slept;
        if self.lame_duck.as_nanos() > LEFT.as_nanos() {
            self.lame_duck = LEFT;
        }
        self
    }

    /// Checks that the slices fit into the budget, and the budget into the grace.
    ///
    /// # Errors
    ///
    /// When they do not, with what is too long.
    pub fn validate(&self) -> Result<(), PlanError> {
        let Plan { budget, lame_duck, cancel_window, cleanup_reserve, grace, pre_stop } = *self;
        if budget > LONGEST {
            return Err(PlanError(Mistake::TooLong { budget }));
        }
        let sum = [cancel_window, cleanup_reserve, self.exit_reserve()]
            .into_iter()
            .fold(lame_duck, Duration::saturating_add);
        if sum > budget {
            return Err(PlanError(Mistake::Slices { sum, budget }));
        }
        let needed = pre_stop.saturating_add(budget).saturating_add(GRACE_MARGIN);
        match grace {
            Some(grace) if needed > grace => Err(PlanError(Mistake::Grace { needed, grace })),
            _ => Ok(()),
        }
    }

    pub(crate) fn has_lame_duck(&self) -> bool {
        !self.lame_duck.is_zero()
    }

    /// The slices as instants.
    pub(crate) fn line(&self, begin: Instant) -> Line {
        let deadline = begin + self.budget;
        let cleanup_end = deadline - self.exit_reserve();
        let cancel_end = cleanup_end - self.cleanup_reserve;
        let drain_end = cancel_end - self.cancel_window;
        Line { lame_duck_end: begin + self.lame_duck, drain_end, cancel_end, cleanup_end, deadline }
    }

    pub(crate) fn reserved_for_cleanups(&self) -> Duration {
        self.cleanup_reserve
    }

    #[cfg(all(unix, feature = "app"))]
    pub(crate) fn cancelled_for(&self) -> Duration {
        self.cancel_window
    }

    pub(crate) fn exit_reserve(&self) -> Duration {
        (self.budget / 100).min(Duration::from_millis(250))
    }
}

impl Default for Plan {
    fn default() -> Plan {
        Plan::new()
    }
}

/// When each slice ends at the latest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) lame_duck_end: Instant,
    pub(crate) drain_end: Instant,
    pub(crate) cancel_end: Instant,
    pub(crate) cleanup_end: Instant,
    pub(crate) deadline: Instant,
}

impl Error for PlanError {}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Mistake::Slices { sum, budget } => write!(
                f,
                "lame duck, cancel window, cleanup reserve and exit take {sum:?} together, more than the budget of {budget:?}: \
                 shorten them or raise the budget"
            ),
            Mistake::Grace { needed, grace } => write!(
                f,
                "the preStop sleep, the budget and 1s for the exit take {needed:?} together, more than the grace of {grace:?}: \
                 lower the budget or raise the grace period"
            ),
            Mistake::TooLong { budget } => {
                write!(f, "a budget of {budget:?} is more than a day: write a shorter one")
            }
        }
    }
}
