//! Random delays: `SplitMix64` (Steele, Lea and Flood, 2014), which passes the usual tests and is one word of state.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded(seed: u64) -> Random {
        Random(seed)
    }

    /// Another sequence in every process, and for every call.
    pub(crate) fn fresh() -> Random {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        // The keys of std's hash maps are the operating system's randomness.
        Random(RandomState::new().hash_one(CALLS.fetch_add(1, Ordering::Relaxed)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `most`, both included.
    pub(crate) fn up_to(&mut self, most: u64) -> u64 {
        // The high half of a product is uniform to one part in 2^64 / most, which no delay can tell.
        let wide = u128::from(self.next()) * (u128::from(most) + 1);
        u64::try_from(wide >> 64).unwrap_or(most)
    }
}
