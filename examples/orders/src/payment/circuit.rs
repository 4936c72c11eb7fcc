//! The circuit breaker before the payment provider, and who hears of it.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use underpin_breaker::{Breaker, Change, State, Trip};
use underpin_health::Switch;

use crate::tell;

/// What clients and operators know it by.
pub(super) const NAME: &str = "payment";

/// In a row.
pub(crate) const FAILURES: u32 = 3;
const SUCCESSES: u32 = 2;
/// When to come back while another call looks how the provider is.
pub(super) const PROBING: Duration = Duration::from_secs(1);

/// A breaker that tells the operator of each change once, and `health` how it stands.
pub(super) fn new(open: Duration, health: Switch) -> Breaker {
    health.up();
    let last = Mutex::new(0);
    Breaker::builder(NAME)
        .trip(Trip::consecutive(FAILURES))
        .open(open)
        .successes(SUCCESSES)
        .on_change(move |change| {
            // Callbacks of two threads may overtake each other: an old change must not be the last word.
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if *last < change.generation {
                *last = change.generation;
                announce(change, open, &health);
            }
        })
        .build()
}

fn announce(change: &Change, open: Duration, health: &Switch) {
    let name = &change.name;
    match change.to {
        State::Open => {
            let failures = change.failures;
            tell(&format!(
                "circuit {name} is open, after {failures} failures: calls fail at once for {open:?}"
            ));
            health.down("the circuit is open");
        }
        State::HalfOpen => {
            tell(&format!("circuit {name} is half-open: one call at a time looks how it is"));
            health.down("the circuit is half-open");
        }
        State::Closed => {
            tell(&format!("circuit {name} is closed: all is well again"));
            health.up();
        }
        // Nobody sets it by hand here.
        _ => {}
    }
}
