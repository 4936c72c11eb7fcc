//! The lock, which the loom models replace.

#[cfg(underpin_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(underpin_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};
