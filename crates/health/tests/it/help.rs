//! Paused time, and waiting in it.

use std::time::Duration;

use underpin_health::{Health, Snapshot};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Runs on a runtime whose time jumps to the next timer, so that nothing here takes real time.
pub(crate) fn paused<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime can be built");
    runtime.block_on(test)
}

/// Lets so much of the runtime's time pass, with all that happens in it.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await; // sleep-ok: the clock is paused
}

/// Waits for a state, for at most an hour of the runtime's time.
pub(crate) async fn until(health: &Health, wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let waiting = async {
        let mut seen = health.snapshot();
        while !wanted(&seen) {
            seen = health.changed(&seen).await;
        }
        seen
    };
    let late = "the state never came";
    tokio::time::timeout(Duration::from_secs(3600), waiting).await.expect(late)
}
