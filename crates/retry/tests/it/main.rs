//! Behaviour, through the public interface, on a paused clock.

mod budget;
mod delays;
mod run;
mod storm;
#[cfg(feature = "tower")]
mod tower;

use std::time::Duration;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
