//! A service that says how often it was called.

use std::{
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
};

use tower::Service;

use crate::breakers::Trouble;

/// The service behind a breaker.
#[derive(Debug, Clone, Default)]
pub struct Probed {
    calls: Arc<AtomicU32>,
    never_ready: bool,
    fails: bool,
}

impl Probed {
    /// One that fails.
    pub fn failing() -> Probed {
        Probed { fails: true, ..Probed::default() }
    }

    /// One that is never ready.
    pub fn never_ready() -> Probed {
        Probed { never_ready: true, ..Probed::default() }
    }

    /// How often it was called.
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Acquire)
    }
}

impl Service<()> for Probed {
    type Response = ();
    type Error = Trouble;
    type Future = Ready<Result<(), Trouble>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Trouble>> {
        if self.never_ready { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn call(&mut self, (): ()) -> Self::Future {
        self.calls.fetch_add(1, Ordering::AcqRel);
        ready(if self.fails { Err(Trouble::Theirs) } else { Ok(()) })
    }
}
