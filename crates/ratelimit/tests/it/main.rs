//! Behaviour, through the public interface, at times of the test's own.

#[cfg(feature = "tokio")]
mod acquire;
mod all;
mod bad_input;
mod change;
mod check;
mod client_ip;
mod document;
#[cfg(feature = "tracing")]
mod events;
mod flood;
mod gcra;
#[cfg(feature = "tokio")]
mod model;
mod refund;
mod threads;
#[cfg(feature = "tower")]
mod tower;

use std::time::{Duration, Instant};

use underpin_ratelimit::Limit;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn just_before(time: Instant) -> Instant {
    time.checked_sub(Duration::from_nanos(1)).expect("the machine is up for longer")
}

/// 3 in an hour, by each algorithm.
fn three_an_hour() -> [Limit; 4] {
    let hour = secs(3600);
    [
        Limit::window(3, hour),
        Limit::gcra(3, hour),
        Limit::fixed(3, hour),
        Limit::two_windows(3, hour),
    ]
}

/// On a clock that only moves when it is told to, or when all wait.
#[cfg(feature = "tokio")]
fn block_on_paused<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(future)
}
