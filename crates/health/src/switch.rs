//! A state that somebody else reports.

use std::{fmt, sync::Arc};

use crate::{
    component::{Component, Weight},
    record::State,
    registry::Registry,
};

/// A state that is pushed, from [`Health::switch`](crate::Health::switch): a breaker that opened, a cache that is warm,
/// memory that runs out.
///
/// It is down until the first [`up`](Self::up), and says what it was last told, however long ago.
#[derive(Clone)]
pub struct Switch {
    component: Arc<Component>,
    registry: Arc<Registry>,
}

impl Switch {
    pub(crate) fn new(component: Arc<Component>, registry: Arc<Registry>) -> Self {
        Self { component, registry }
    }

    /// What it means for readiness that it is down; [`Weight::Critical`] if not said.
    #[must_use]
    pub fn weight(self, weight: Weight) -> Self {
        self.component.set_weight(weight);
        self
    }

    /// Startup waits for its first [`up`](Self::up).
    #[must_use]
    pub fn startup(self) -> Self {
        self.component.set_startup();
        self
    }

    /// Says that it works.
    pub fn up(&self) {
        self.set(State::Up, "");
    }

    /// Says that it does not, and why. At most 256 bytes of the reason are kept.
    pub fn down(&self, reason: impl AsRef<str>) {
        self.set(State::Down, reason.as_ref());
    }

    fn set(&self, state: State, reason: &str) {
        let now = self.registry.now();
        self.component.set(state, now, reason);
        self.registry.refresh(now);
    }
}

impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Switch").field("name", &self.component.name).finish_non_exhaustive()
    }
}
