//! What readiness depends on: checks and switches.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use crate::record::{Record, State};

/// Reasons are for people; a stack trace or a whole page from a proxy is clipped.
const MAX_REASON: usize = 256;

/// What it means for readiness that something is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weight {
    /// This replica cannot serve: it gets no traffic.
    Critical,
    /// All replicas have this dependency in common. Taking every one of them out of service would turn a slow database
    /// into an outage, so readiness degrades and stays 200.
    Shared,
    /// The service works without it: readiness degrades and stays 200.
    Optional,
}

impl Weight {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Shared => "shared",
            Self::Optional => "optional",
        }
    }
}

pub(crate) struct Component {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    record: Record,
    weight: AtomicU8,
    startup: AtomicBool,
    /// Whether it was ever up.
    passed: AtomicBool,
    /// Held to copy a text and never while code of the user's runs; verdicts do not read it.
    reason: Mutex<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its result says nothing any more when it is older than this.
    Check { max_age: Duration },
    /// Says what it was last told, however long ago.
    Switch,
}

impl Component {
    pub(crate) fn new(name: String, kind: Kind) -> Self {
        Self {
            name,
            kind,
            record: Record::new(),
            weight: AtomicU8::new(0),
            startup: AtomicBool::new(false),
            passed: AtomicBool::new(false),
            reason: Mutex::default(),
        }
    }

    pub(crate) fn set(&self, state: State, at: Duration, reason: &str) {
        clip(reason).clone_into(&mut self.reason.lock().unwrap_or_else(PoisonError::into_inner));
        self.record.set(state, at);
        if state == State::Up {
            self.passed.store(true, Ordering::Release);
        }
    }

    pub(crate) fn state(&self, now: Duration) -> State {
        let (state, at) = self.record.get();
        if self.too_old(state, at, now) { State::Down } else { state }
    }

    /// State, reason and age, for people.
    pub(crate) fn details(&self, now: Duration) -> (State, String, Option<Duration>) {
        let (state, at) = self.record.get();
        let age = now.saturating_sub(at);
        if self.too_old(state, at, now) {
            let reason = format!("no result for {} s", age.as_secs());
            return (State::Down, reason, Some(age));
        }
        let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (state, reason, (state != State::Unknown).then_some(age))
    }

    fn too_old(&self, state: State, at: Duration, now: Duration) -> bool {
        match self.kind {
            Kind::Check { max_age } => state != State::Unknown && now.saturating_sub(at) > max_age,
            Kind::Switch => false,
        }
    }

    pub(crate) fn weight(&self) -> Weight {
        match self.weight.load(Ordering::Relaxed) {
            0 => Weight::Critical,
            1 => Weight::Shared,
            _ => Weight::Optional,
        }
    }

    pub(crate) fn set_weight(&self, weight: Weight) {
        let bits = match weight {
            Weight::Critical => 0,
            Weight::Shared => 1,
            Weight::Optional => 2,
        };
        self.weight.store(bits, Ordering::Relaxed);
    }

    pub(crate) fn set_startup(&self) {
        self.startup.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_startup(&self) -> bool {
        self.startup.load(Ordering::Relaxed)
    }

    pub(crate) fn has_passed(&self) -> bool {
        self.passed.load(Ordering::Acquire)
    }
}

fn clip(reason: &str) -> &str {
    // `str::floor_char_boundary` is newer than the oldest supported compiler.
    let end = (0..=reason.len().min(MAX_REASON)).rev().find(|&i| reason.is_char_boundary(i));
    &reason[..end.unwrap_or(0)]
}
