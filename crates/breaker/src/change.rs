//! What is told of a change of state.

use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::breaker::State;

/// A breaker has changed its state: [`Builder::on_change`](crate::Builder::on_change).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The breaker's name.
    pub name: Cow<'static, str>,
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// Which change it is, counted from 1. Callbacks of different threads may overtake each other; the numbers do not. After 16 million, it begins again.
    pub generation: u32,
    /// Failures in a row that led to it.
    pub failures: u64,
}

pub(crate) type OnChange = Box<dyn Fn(&Change) + Send + Sync>;

/// Tells everybody, under no lock. A callback that panics is the callback's problem.
pub(crate) fn tell(on_change: Option<&OnChange>, change: &Change) {
    log(change);
    if let Some(on_change) = on_change {
        let _ = catch_unwind(AssertUnwindSafe(|| on_change(change)));
    }
}

#[cfg(feature = "tracing")]
fn log(change: &Change) {
    let Change { name, from, to, generation, failures } = change;
    if *to == State::Open {
        tracing::warn!(target: "breaker", name = &**name, %from, %to, generation, failures, "breaker transition");
    } else {
        tracing::info!(target: "breaker", name = &**name, %from, %to, generation, failures, "breaker transition");
    }
}

#[cfg(not(feature = "tracing"))]
fn log(_: &Change) {}
