//! The one task that keeps the registry up to date.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::registry::Registry;

/// How often gates are sampled and the runtime proves that it runs: a closed gate shows after at most this long.
const TICK: Duration = Duration::from_millis(50);

pub(crate) async fn run(registry: Arc<Registry>, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    // Checks are tasks of their own: one that blocks its thread must not keep this one from telling.
    let mut checks = JoinSet::new();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    std::future::poll_fn(|cx| {
        if stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        while ticks.poll_tick(cx).is_ready() {
            for runner in registry.take_queued() {
                checks.spawn(runner);
            }
            registry.gates.iter().for_each(|gate| gate.sample());
            registry.running.store(true, Ordering::Release);
            let now = registry.now();
            registry.runtime.beat(now);
            registry.refresh(now);
        }
        Poll::Pending
    })
    .await;
    registry.stopped.store(true, Ordering::Release);
    registry.refresh(registry.now());
    // Dropping the set drops every check where it waits.
}
