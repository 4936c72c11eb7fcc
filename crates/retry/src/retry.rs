//! The policy.

use std::{fmt, future::Future, ops::RangeInclusive, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    budget::Budget,
    delays::{Delays, Jitter, Schedule},
    random::Random,
    run::Run,
    session::{Attempt, Session},
};

/// When to try again, and when no more. A value to be made once and used for many calls; clones share the budget.
///
/// Unless set otherwise: 3 retries after the first try, no deadline, no budget, and every error is tried again.
#[derive(Debug, Clone)]
#[must_use = "nothing is tried before `run`"]
pub struct Retry {
    schedule: Schedule,
    jitter: Jitter,
    retries: u32,
    within: Option<Duration>,
    budget: Option<Budget>,
    seed: Option<u64>,
}

impl Retry {
    /// Delays that double, from the first to the longest: `secs(1)..=secs(10)` waits 1, 2, 4, 8, 10, 10, ... seconds. With
    /// [`Jitter::Full`], unless set otherwise, each is the most that is waited.
    ///
    /// # Panics
    ///
    /// When the range is empty.
    #[track_caller]
    pub fn exponential(delays: RangeInclusive<Duration>) -> Retry {
        let (first, longest) = delays.into_inner();
        assert!(
            first <= longest,
            "the first delay of {first:?} is longer than the longest, {longest:?}"
        );
        Retry::new(Schedule::Exponential { first, longest }, Jitter::Full)
    }

    /// The same delay each time, without jitter unless set.
    pub fn fixed(delay: Duration) -> Retry {
        Retry::new(Schedule::Fixed(delay), Jitter::None)
    }

    /// The delay before each retry, counted from 0, without jitter unless set.
    pub fn custom(delay: impl Fn(u32) -> Duration + Send + Sync + 'static) -> Retry {
        Retry::new(Schedule::Custom(Arc::new(delay)), Jitter::None)
    }

    fn new(schedule: Schedule, jitter: Jitter) -> Retry {
        Retry { schedule, jitter, retries: 3, within: None, budget: None, seed: None }
    }

    /// How many tries may come after the first: 3 unless set. With 0 there is one try.
    pub fn retries(mut self, retries: u32) -> Retry {
        self.retries = retries;
        self
    }

    /// How much of each delay is left to chance.
    pub fn jitter(mut self, jitter: Jitter) -> Retry {
        self.jitter = jitter;
        self
    }

    /// The time for everything, from the first poll on. A retry whose delay would end later is not waited for: the call
    /// gives up at once, while there is time to do something else.
    ///
    /// An attempt that is under way is not cut short; give it a timeout of its own, or [`Attempt::remaining`].
    pub fn within(mut self, deadline: Duration) -> Retry {
        self.within = Some(deadline);
        self
    }

    /// Takes each retry out of this budget, into which each call pays.
    pub fn budget(mut self, budget: &Budget) -> Retry {
        self.budget = Some(budget.clone());
        self
    }

    /// Makes the jitter the same for every call: for tests.
    pub fn seed(mut self, seed: u64) -> Retry {
        self.seed = Some(seed);
        self
    }

    /// The schedule alone: as many delays as there are retries, as a call with this [`seed`](Retry::seed) would wait.
    pub fn delays(&self, seed: u64) -> Delays {
        self.delays_with(Random::seeded(seed))
    }

    fn delays_with(&self, random: Random) -> Delays {
        Delays::new(self.schedule.clone(), self.jitter, self.retries, random)
    }

    /// Calls `operation` until it succeeds, and waits in between. Every error is tried again, unless [`Run::when`] says otherwise.
    ///
    /// The operation makes a new future for each attempt, so that nothing is used twice that can only be used once.
    ///
    /// # Errors
    ///
    /// [`GaveUp`](crate::GaveUp), with the error of the last attempt.
    ///
    /// # Panics
    ///
    /// When polled outside of a tokio runtime with time.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the attempt, starts no other, and gives an unused retry back to the budget.
    #[expect(clippy::type_complexity, reason = "two functions that do nothing until they are set")]
    pub fn run<O, F, T, E>(&self, operation: O) -> Run<O, F, fn(&E) -> bool, fn(&E, Duration)>
    where
        O: FnMut(Attempt) -> F,
        F: Future<Output = Result<T, E>>,
    {
        Run::new(self.clone(), operation, |_| true, |_, _| {})
    }

    pub(crate) fn begin(&self) -> Session {
        let random = self.seed.map_or_else(Random::fresh, Random::seeded);
        Session::begin(self.delays_with(random), self.within, self.budget.clone(), Instant::now())
    }
}

/// What it does, in a line: for logs.
impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let retries = if self.retries == 1 { "retry" } else { "retries" };
        write!(f, "{} {retries}, {}, {}", self.retries, self.schedule, self.jitter)
    }
}
