//! Behaviour, through the public interface, at times of the test's own.

mod document;
#[cfg(feature = "tokio")]
mod model;

use std::time::Duration;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
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
