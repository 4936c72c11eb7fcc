//! How long to wait before which retry.

use std::{fmt, sync::Arc, time::Duration};

use crate::random::Random;

/// How much of a delay is left to chance, so that clients which failed together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Jitter {
    /// The delay itself.
    None,
    /// Anything from nothing to the delay: the most even load on whoever recovers.
    Full,
    /// Half of the delay, and up to as much again.
    Equal,
    /// From the first delay to three times the one before, and no longer than the longest of the schedule.
    Decorrelated,
}

/// Delays before jitter.
#[derive(Clone)]
pub(crate) enum Schedule {
    Fixed(Duration),
    Exponential { first: Duration, longest: Duration },
    Custom(Arc<dyn Fn(u32) -> Duration + Send + Sync>),
}

impl Schedule {
    /// `retry` counts from 0.
    fn delay(&self, retry: u32) -> Duration {
        match self {
            Schedule::Fixed(delay) => *delay,
            Schedule::Exponential { first, longest } => {
                let factor = 1_u32.checked_shl(retry).unwrap_or(u32::MAX);
                first.saturating_mul(factor).min(*longest)
            }
            Schedule::Custom(delay) => delay(retry),
        }
    }

    fn longest(&self, retry: u32) -> Duration {
        match self {
            Schedule::Exponential { longest, .. } => *longest,
            Schedule::Fixed(_) | Schedule::Custom(_) => self.delay(retry),
        }
    }
}

/// The delays of one call: an iterator that ends with the last retry. [`Retry::delays`](crate::Retry::delays).
#[derive(Debug, Clone)]
pub struct Delays {
    schedule: Schedule,
    jitter: Jitter,
    random: Random,
    retry: u32,
    retries: u32,
    before: Duration,
}

impl Delays {
    pub(crate) fn new(schedule: Schedule, jitter: Jitter, retries: u32, random: Random) -> Delays {
        Delays { schedule, jitter, random, retry: 0, retries, before: Duration::ZERO }
    }

    /// The next delay where somebody else has said how long to wait at least. It is never shorter, and a tenth longer at the most, for others
    /// were told the same.
    pub(crate) fn after(&mut self, told: Duration) -> Option<Duration> {
        let most = self.next()?;
        let spread = if self.jitter == Jitter::None { Duration::ZERO } else { told / 10 };
        self.before = most.max(told);
        Some(told.saturating_add(self.random(Duration::ZERO, spread)))
    }

    fn random(&mut self, least: Duration, most: Duration) -> Duration {
        let spread = u64::try_from(most.saturating_sub(least).as_nanos()).unwrap_or(u64::MAX);
        least.saturating_add(Duration::from_nanos(self.random.up_to(spread)))
    }
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.retry == self.retries {
            return None;
        }
        let delay = self.schedule.delay(self.retry);
        let delay = match self.jitter {
            Jitter::None => delay,
            Jitter::Full => self.random(Duration::ZERO, delay),
            Jitter::Equal => self.random(delay / 2, delay),
            Jitter::Decorrelated => {
                let first = self.schedule.delay(0);
                let most = self.before.max(first).saturating_mul(3);
                self.random(first, most).min(self.schedule.longest(self.retry))
            }
        };
        self.retry += 1;
        self.before = delay;
        Some(delay)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.retries - self.retry).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Fixed(delay) => f.debug_tuple("Fixed").field(delay).finish(),
            Schedule::Exponential { first, longest } => {
                f.debug_tuple("Exponential").field(&(first..=longest)).finish()
            }
            Schedule::Custom(_) => f.write_str("Custom"),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Fixed(delay) => write!(f, "{delay:?} apart"),
            Schedule::Exponential { first, longest } => {
                write!(f, "{first:?} doubling to {longest:?}")
            }
            Schedule::Custom(_) => f.write_str("delays of its own"),
        }
    }
}

impl fmt::Display for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Jitter::None => "no jitter",
            Jitter::Full => "full jitter",
            Jitter::Equal => "equal jitter",
            Jitter::Decorrelated => "decorrelated jitter",
        })
    }
}
