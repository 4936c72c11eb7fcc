//! One call and its attempts: what comes after a failure. It is told the time, so that it can be asked about any.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    budget::{Budget, Withdrawal},
    delays::Delays,
    gave_up::{GaveUp, Why},
};

/// One attempt, as its operation sees it.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    number: u32,
    deadline: Option<Instant>,
}

impl Attempt {
    /// Which attempt it is, from 1 on.
    pub fn number(self) -> u32 {
        self.number
    }

    /// Whether the operation was tried before.
    pub fn is_retry(self) -> bool {
        self.number > 1
    }

    /// What is left of [`Retry::within`](crate::Retry::within), if that was set.
    pub fn remaining(self) -> Option<Duration> {
        Some(self.deadline?.saturating_duration_since(Instant::now()))
    }
}

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Try again, after the delay of the schedule.
    Retry,
    /// Try again, and not before this time has passed: a server's `Retry-After`. Up to a tenth is added by chance, unless there is no jitter. When there is
    /// no time for it, the call gives up instead of coming too early.
    RetryAfter(Duration),
    /// It will not get better.
    Final,
}

/// `true` is [`Retry`](Verdict::Retry), `false` is [`Final`](Verdict::Final).
impl From<bool> for Verdict {
    fn from(retry: bool) -> Verdict {
        if retry { Verdict::Retry } else { Verdict::Final }
    }
}

#[derive(Debug)]
pub(crate) struct Session {
    delays: Delays,
    began: Instant,
    deadline: Option<Instant>,
    budget: Option<Budget>,
    /// For the attempt that is waited for.
    withdrawal: Option<Withdrawal>,
    attempts: u32,
}

impl Session {
    pub(crate) fn begin(
        delays: Delays,
        within: Option<Duration>,
        budget: Option<Budget>,
        now: Instant,
    ) -> Session {
        if let Some(budget) = &budget {
            budget.deposit();
        }
        // A deadline that the clock cannot express is none.
        let deadline = within.and_then(|within| now.checked_add(within));
        Session { delays, began: now, deadline, budget, withdrawal: None, attempts: 0 }
    }

    /// The next attempt begins.
    pub(crate) fn attempt(&mut self) -> Attempt {
        if let Some(withdrawal) = self.withdrawal.take() {
            withdrawal.spend();
        }
        self.attempts = self.attempts.saturating_add(1);
        Attempt { number: self.attempts, deadline: self.deadline }
    }

    /// An attempt has failed: when the next one begins.
    pub(crate) fn failed(&mut self, verdict: Verdict, now: Instant) -> Result<Instant, Why> {
        let delay = match verdict {
            Verdict::Retry => self.delays.next(),
            Verdict::RetryAfter(told) => self.delays.after(told),
            Verdict::Final => return Err(Why::Final),
        };
        let next = now.checked_add(delay.ok_or(Why::Attempts)?).ok_or(Why::Deadline)?;
        if self.deadline.is_some_and(|deadline| next >= deadline) {
            return Err(Why::Deadline);
        }
        // Last, so that nothing is withdrawn for an attempt that will not be.
        if let Some(budget) = &self.budget {
            self.withdrawal = Some(budget.withdraw(now).ok_or(Why::Budget)?);
        }
        Ok(next)
    }

    pub(crate) fn gave_up<E>(&self, last: E, why: Why, now: Instant) -> GaveUp<E> {
        let elapsed = now.saturating_duration_since(self.began);
        GaveUp { last, attempts: self.attempts, elapsed, why }
    }
}
