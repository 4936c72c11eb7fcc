//! The atomics, which the loom models replace.

#[cfg(underpin_loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
#[cfg(not(underpin_loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
