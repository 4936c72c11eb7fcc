//! The last result of a component, with its time.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// What a component was last seen to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// No result yet.
    Unknown,
    /// It works.
    Up,
    /// It does not work, or its last result is too old to say so.
    Down,
}

impl State {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// State and time in one word, so that no reader pairs the state of one result with the time of another.
pub(crate) struct Record(AtomicU64);

impl Record {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// `at` counts from the epoch of the registry; 62 bits of microseconds last for 146,000 years.
    pub(crate) fn set(&self, state: State, at: Duration) {
        let bits = match state {
            State::Unknown => 0,
            State::Up => 1,
            State::Down => 2,
        };
        self.0.store(micros(at) << 2 | bits, Ordering::Release);
    }

    pub(crate) fn get(&self) -> (State, Duration) {
        let word = self.0.load(Ordering::Acquire);
        let state = match word & 3 {
            1 => State::Up,
            2 => State::Down,
            _ => State::Unknown,
        };
        (state, Duration::from_micros(word >> 2))
    }
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX >> 2)
}
