//! Circuit breakers: what the cases ask of them.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use tower::util::BoxCloneService;

use crate::{
    report::{Column, Suite},
    verdict::{Case, Stop},
};

mod calls;
mod cases;
mod peers;
mod probed;

/// How long breakers stay open, unless a case says otherwise.
pub const OPEN: Duration = Duration::from_millis(150);

/// A crate that has circuit breakers.
pub trait Contender: Sync {
    /// A breaker that goes by these rules, or why there is none.
    fn breaker(&self, rules: Rules) -> Result<Box<dyn Breaker>, Stop>;

    /// Breakers by key, at most so many, each of which one failure opens.
    fn keyed(&self, _capacity: usize) -> Result<Keyed, Stop> {
        Err(Stop::Cannot("it has no breakers by key"))
    }
}

/// A breaker; the cases know nothing else of it.
pub trait Breaker: Send + Sync {
    /// Makes a call through it.
    fn call(&self, work: Work) -> Pin<Box<dyn Future<Output = Called> + Send>>;

    /// Puts it in front of a service.
    fn layered(&self, _inner: probed::Probed) -> Result<Layered, Stop> {
        Err(Stop::Cannot("it is no tower layer"))
    }

    /// What it says of itself.
    fn state(&self) -> Result<State, Stop> {
        Err(Stop::Cannot("it does not tell its state"))
    }

    /// Opens it by hand; it stays so while the value lives.
    fn open_by_hand(&self) -> Result<Box<dyn Send>, Stop> {
        Err(Stop::Cannot("it cannot be opened by hand"))
    }

    /// When it will let calls through, by its rejection.
    fn retry_in(&self) -> Result<Duration, Stop> {
        Err(Stop::Cannot("a rejection does not say when to come back"))
    }
}

/// A service behind a breaker.
pub type Layered = BoxCloneService<(), (), Called>;

/// Gives the breaker of a key.
pub type Keyed = Box<dyn Fn(u32) -> Box<dyn Breaker>>;

/// The call that is protected.
pub type Work = Pin<Box<dyn Future<Output = Result<(), Trouble>> + Send>>;

/// How a protected call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The dependency is to blame.
    Theirs,
    /// The caller is: it says nothing of the dependency.
    Ours,
    /// The dependency is, and has said for how long.
    TheirsFor(Duration),
}

/// How a call through a breaker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Called {
    /// It was made and succeeded.
    Succeeded,
    /// It was made and failed.
    Failed,
    /// It was not made.
    Rejected,
    /// It was cut off by a limit on its time.
    TimedOut,
}

/// What a breaker says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Calls go through.
    Closed,
    /// They do not.
    Open,
    /// Some do, to see.
    HalfOpen,
}

/// What a case needs of a breaker. Contenders take what they have a word for, and refuse what they have none for.
#[derive(Clone)]
pub struct Rules {
    /// Failures in a row that open it.
    pub consecutive: Option<u32>,
    /// A rate of failures among the last calls that opens it.
    pub rate: Option<Rate>,
    /// The same, over a time.
    pub rate_over: Option<RateOver>,
    /// How long it stays open.
    pub open: Duration,
    /// Every opening in a row is this many times as long as the one before.
    pub longer: Option<u32>,
    /// Half-open, so many calls at once at most, and so many successes to close.
    pub probes: u32,
    /// Calls that take longer are failures, whatever becomes of them.
    pub slow: Option<Duration>,
    /// How long a probe may take before others may be made in its place.
    pub probe_timeout: Option<Duration>,
    /// Failures may say for how long it should stay open.
    pub told: bool,
    /// It will be opened by hand.
    pub by_hand: bool,
    /// Is called at every change of state.
    pub on_change: Option<OnChange>,
}

/// What is called at a change of state.
pub type OnChange = Arc<dyn Fn() + Send + Sync>;

/// A rate among the last calls.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// From this share of failures on.
    pub failures: f64,
    /// So many calls are looked at.
    pub last: u32,
    /// Once there are so many.
    pub least: u32,
}

/// A rate over a time.
#[derive(Debug, Clone, Copy)]
pub struct RateOver {
    /// From this share of failures on.
    pub failures: f64,
    /// So far back. Whole seconds: one of the crates counts in these.
    pub time: Duration,
    /// Once there are so many calls.
    pub least: u32,
}

impl Rules {
    /// Opens after so many failures in a row; one probe that succeeds closes it.
    pub fn consecutive(failures: u32) -> Rules {
        Rules { consecutive: Some(failures), ..Rules::none() }
    }

    /// Opens at a rate.
    pub fn rate(failures: f64, last: u32, least: u32) -> Rules {
        Rules { rate: Some(Rate { failures, last, least }), ..Rules::none() }
    }

    /// Opens at a rate over a time.
    pub fn rate_over(failures: f64, time: Duration, least: u32) -> Rules {
        Rules { rate_over: Some(RateOver { failures, time, least }), ..Rules::none() }
    }

    fn none() -> Rules {
        Rules {
            consecutive: None,
            rate: None,
            rate_over: None,
            open: OPEN,
            longer: None,
            probes: 1,
            slow: None,
            probe_timeout: None,
            told: false,
            by_hand: false,
            on_change: None,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call failed")
    }
}

impl std::error::Error for Trouble {}

/// All cases whose names contain `wanted`, or all.
pub fn suite(wanted: &str) -> Option<Suite<dyn Contender>> {
    let is_wanted = |case: &Case<dyn Contender>| wanted == "breakers" || case.name.contains(wanted);
    let cases: Vec<_> = cases::all().into_iter().filter(is_wanted).collect();
    let contenders: Vec<Column<dyn Contender>> = peers::all();
    (!cases.is_empty()).then_some(Suite { title: "circuit breakers", cases, contenders })
}
