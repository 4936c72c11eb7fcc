//! Randomness for names: enough that two never meet, and no secret.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

/// 64 bits that no other call and no other process has.
pub(crate) fn random() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    // The keys of std's hash maps are the operating system's randomness.
    RandomState::new().hash_one(CALLS.fetch_add(1, Ordering::Relaxed))
}
