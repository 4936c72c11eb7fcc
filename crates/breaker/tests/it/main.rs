//! Behaviour, through the public interface, at times of the test's own.

mod calls;
mod closed;
#[cfg(feature = "tracing")]
mod events;
mod half_open;
mod keyed;
mod manual;
mod model;
mod open;
mod over_time;
#[cfg(feature = "tower")]
mod tower;

use std::time::{Duration, Instant};

use underpin_breaker::{Breaker, Outcome, Recorded};

/// A breaker, and the time.
struct Bench {
    breaker: Breaker,
    now: Instant,
}

impl Bench {
    fn new(breaker: Breaker) -> Bench {
        // Later than the breaker was made, and not on a whole millisecond of it.
        Bench { breaker, now: Instant::now() + Duration::from_micros(300) }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// Makes a call that ends at once.
    fn call(&self, outcome: Outcome) -> Option<Recorded> {
        let permit = self.breaker.try_acquire_at(self.now).ok()?;
        Some(permit.record_at(outcome, self.now))
    }

    fn fail(&self) -> Option<Recorded> {
        self.call(Outcome::Failure)
    }

    fn succeed(&self) -> Option<Recorded> {
        self.call(Outcome::Success)
    }

    /// Opens one with the usual settings.
    fn open(&self) {
        for _ in 0..5 {
            self.fail();
        }
        assert!(self.breaker.try_acquire_at(self.now).is_err());
    }
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
