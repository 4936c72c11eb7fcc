//! The atomics, which the loom model replaces.

#[cfg(underpin_loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(underpin_loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
