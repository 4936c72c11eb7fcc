//! The atomics, which the loom models and a test that counts writes replace.

#[cfg(all(test, not(underpin_loom)))]
pub(crate) use self::counted::{AtomicU64, writes};
#[cfg(underpin_loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(all(not(test), not(underpin_loom)))]
pub(crate) use std::sync::atomic::AtomicU64;
#[cfg(not(underpin_loom))]
pub(crate) use std::sync::atomic::{AtomicU32, Ordering, fence};

/// A word whose writes are counted, for each thread: "reads only" is a promise.
#[cfg(all(test, not(underpin_loom)))]
mod counted {
    use std::{
        cell::Cell,
        sync::atomic::{self, Ordering},
    };

    thread_local!(static WRITES: Cell<usize> = const { Cell::new(0) });

    pub(crate) fn writes() -> usize {
        WRITES.get()
    }

    fn written() {
        WRITES.set(WRITES.get() + 1);
    }

    #[derive(Debug)]
    pub(crate) struct AtomicU64(atomic::AtomicU64);

    impl AtomicU64 {
        pub(crate) fn new(word: u64) -> AtomicU64 {
            AtomicU64(atomic::AtomicU64::new(word))
        }

        pub(crate) fn load(&self, order: Ordering) -> u64 {
            self.0.load(order)
        }

        pub(crate) fn compare_exchange(
            &self,
            old: u64,
            new: u64,
            success: Ordering,
            failure: Ordering,
        ) -> Result<u64, u64> {
            written();
            self.0.compare_exchange(old, new, success, failure)
        }

        /// What wants no change writes nothing, as in std.
        pub(crate) fn fetch_update(
            &self,
            success: Ordering,
            failure: Ordering,
            change: impl Fn(u64) -> Option<u64>,
        ) -> Result<u64, u64> {
            self.0.fetch_update(success, failure, |old| change(old).inspect(|_| written()))
        }
    }
}
