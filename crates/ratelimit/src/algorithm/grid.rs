//! A grid of windows, of which the current one has a number.

use crate::algorithm::nanos::{LIFE, Nanos};

/// Windows of one length, counted from 0, and a word that holds the number of one above some counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) time: Nanos,
    /// Bits of one count.
    pub(crate) bits: u32,
    /// Bits of all counts.
    below: u32,
}

impl Grid {
    /// For so many counts up to `most`; `None` if the word would not last.
    pub(crate) fn new(most: u32, time: Nanos, counts: u32) -> Option<Grid> {
        let bits = u32::BITS - most.leading_zeros();
        let below = bits * counts;
        let numbers = u64::MAX.checked_shr(below)?;
        // Two more, which those who wait may be in.
        (LIFE / time + 2 < numbers).then_some(Grid { time, bits, below })
    }

    /// The number of the window at this time. After the last there is none, and that one never ends.
    pub(crate) fn number(self, now: Nanos) -> u64 {
        (now / self.time).min(u64::MAX >> self.below)
    }

    pub(crate) fn start(self, number: u64) -> Nanos {
        number.saturating_mul(self.time)
    }

    pub(crate) fn pack(self, number: u64, counts: u64) -> u64 {
        number << self.below | counts
    }

    /// The number, and the counts.
    pub(crate) fn unpack(self, word: u64) -> (u64, u64) {
        (word >> self.below, word & !(u64::MAX << self.below))
    }
}
