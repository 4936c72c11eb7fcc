//! Who comes first: the caller who gives up, or the job that commits.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

const OPEN: u8 = 0;
const COMMITTED: u8 = 1;
const CANCELLED: u8 = 2;

/// Shared by an operation and whoever waits for it. It is decided once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<AtomicU8>);

impl Gate {
    /// Whether the operation has been given up; asked between two pieces of work.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) == CANCELLED
    }

    /// Takes the step after which the operation runs to its end. False: it has been given up.
    pub(crate) fn commit(&self) -> bool {
        self.decide(COMMITTED)
    }

    /// Gives the operation up, unless it has been committed.
    #[cfg(feature = "tokio")]
    pub(crate) fn cancel(&self) {
        self.decide(CANCELLED);
    }

    fn decide(&self, to: u8) -> bool {
        // What follows touches no memory that the other side reads, so no order is needed beyond that of the word itself.
        self.0.compare_exchange(OPEN, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
