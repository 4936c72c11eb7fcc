//! A sliding window from two counters.

use crate::algorithm::{Algorithm, Place, grid::Grid, nanos::Nanos};

/// The last window of the grid counts by the share of it that a sliding window still covers, as if what it counts had been evenly spread.
///
/// The state is the number of a window, the count in the one before, and the count in it. The share is a fraction of whole nanoseconds and is compared
/// as such, so nothing is rounded and nothing drifts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TwoWindows {
    pub(crate) most: u32,
    pub(crate) grid: Grid,
}

#[derive(Debug, Clone, Copy)]
struct Counts {
    number: u64,
    before: u64,
    count: u64,
}

impl TwoWindows {
    pub(crate) fn new(most: u32, time: Nanos) -> Option<TwoWindows> {
        Some(TwoWindows { most, grid: Grid::new(most, time, 2)? })
    }

    fn unpack(&self, word: u64) -> Counts {
        let (number, counts) = self.grid.unpack(word);
        let bits = self.grid.bits;
        Counts { number, before: counts >> bits, count: counts & !(u64::MAX << bits) }
    }

    fn pack(&self, counts: Counts) -> u64 {
        self.grid.pack(counts.number, counts.before << self.grid.bits | counts.count)
    }

    /// What the state says of the window of this time, or of a later one that is taken from already.
    fn current(&self, word: u64, now: Nanos) -> Counts {
        let counts = self.unpack(word);
        let current = self.grid.number(now);
        match current.saturating_sub(counts.number) {
            0 => counts,
            1 => next(counts),
            _ => Counts { number: current, before: 0, count: 0 },
        }
    }

    /// When there is room for `n` in this window at the earliest, if ever.
    fn room_at(&self, counts: Counts, now: Nanos, n: u64) -> Option<Nanos> {
        let (start, time) = (self.grid.start(counts.number), self.grid.time);
        let room = u64::from(self.most).checked_sub(counts.count + n)?;
        let room = u128::from(room) * u128::from(time);
        let earliest = now.max(start);
        let covered = time.saturating_sub(earliest - start);
        if u128::from(counts.before) * u128::from(covered) <= room {
            return Some(earliest);
        }
        // It is not 0: nothing before would have been covered by any room.
        let covered = u64::try_from(room / u128::from(counts.before)).unwrap_or(u64::MAX);
        (covered > 0).then(|| start + (time - covered))
    }
}

fn next(counts: Counts) -> Counts {
    Counts { number: counts.number + 1, before: counts.count, count: 0 }
}

impl Algorithm for TwoWindows {
    type State = u64;

    fn most(&self) -> u32 {
        self.most
    }

    fn time(&self) -> Nanos {
        self.grid.time
    }

    fn place(&self, word: &u64, now: Nanos, n: u32) -> Place {
        let mut counts = self.current(*word, now);
        let n = u64::from(n);
        // At the latest in the window after the next one, which has nothing before it.
        let at = loop {
            match self.room_at(counts, now, n) {
                Some(at) => break at,
                None => counts = next(counts),
            }
        };
        let mark = self.pack(Counts { count: counts.count + n, ..counts });
        Place { at, mark }
    }

    fn take(&self, word: &mut u64, _: Nanos, _: u32, place: Place) {
        *word = place.mark;
    }

    /// Both counts stay where they are. If the windows have another length, what is used up at this time counts in the window of this time.
    fn adopt(&self, word: &mut u64, from: &TwoWindows, now: Nanos) {
        let most = u64::from(self.most);
        let mut counts = from.current(*word, now);
        if self.grid.time != from.grid.time {
            let start = from.grid.start(counts.number).max(now);
            let used = u64::from(from.most.saturating_sub(from.remaining(word, start)));
            counts = Counts { number: self.grid.number(start), before: 0, count: used };
        }
        let (before, count) = (counts.before.min(most), counts.count.min(most));
        *word = self.pack(Counts { before, count, ..counts });
    }

    /// Exactly, in whichever of the two windows it was.
    fn give_back(&self, word: &mut u64, mark: u64, n: u32) {
        let (mut counts, n) = (self.unpack(*word), u64::from(n));
        match counts.number.checked_sub(self.unpack(mark).number) {
            Some(0) => counts.count = counts.count.saturating_sub(n),
            Some(1) => counts.before = counts.before.saturating_sub(n),
            _ => return,
        }
        *word = self.pack(counts);
    }

    fn remaining(&self, word: &u64, now: Nanos) -> u32 {
        let counts = self.current(*word, now);
        if counts.number > self.grid.number(now) {
            return 0;
        }
        let time = self.grid.time;
        let covered = time.saturating_sub(now - self.grid.start(counts.number));
        let before = u128::from(counts.before) * u128::from(covered);
        let before = u64::try_from(before.div_ceil(time.into())).unwrap_or(u64::MAX);
        let free = u64::from(self.most).saturating_sub(counts.count).saturating_sub(before);
        u32::try_from(free).unwrap_or(0)
    }

    /// Without counts, at the beginning of the window: it may be one that somebody wanted to wait for, and what was counted further back is not known any more.
    fn reset_at(&self, word: &u64) -> Nanos {
        let counts = self.unpack(*word);
        let windows = match (counts.before, counts.count) {
            (0, 0) => 0,
            (_, 0) => 1,
            _ => 2,
        };
        self.grid.start(counts.number + windows)
    }
}
