//! How the body of a response goes: until when, and for whom.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    circuit::{Outcome, Permit},
    error::Limit,
};

/// When the body has to be there, and what limit that is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) ends: Instant,
    pub(crate) limit: Limit,
    pub(crate) time: Duration,
    pub(crate) read: Option<Duration>,
}

/// How the body goes, for the breaker.
pub(crate) struct Reading {
    permit: Permit,
    /// Somebody wants the body.
    pub(crate) is_begun: bool,
    pub(crate) ended: Option<End>,
}

/// How the body has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Whole,
    Broken,
}

impl Reading {
    pub(crate) fn new(permit: Permit) -> Reading {
        Reading { permit, is_begun: false, ended: None }
    }

    pub(crate) fn end(&mut self) {
        self.ended = Some(End::Whole);
        self.permit.record(Outcome::Success);
    }

    pub(crate) fn fail(&mut self) {
        self.ended = Some(End::Broken);
        self.permit.record(Outcome::Failure);
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if !self.is_begun {
            self.permit.record(Outcome::Success);
        }
    }
}
