//! Fixed windows.

use crate::algorithm::{Algorithm, Place, grid::Grid, nanos::Nanos};

/// At most so many in each window of a grid. The state is the number of a window, and the count in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fixed {
    pub(crate) most: u32,
    pub(crate) grid: Grid,
}

impl Fixed {
    pub(crate) fn new(most: u32, time: Nanos) -> Option<Fixed> {
        Some(Fixed { most, grid: Grid::new(most, time, 1)? })
    }

    /// What the state says of the window of this time, or of a later one that is taken from already.
    fn current(&self, word: u64, now: Nanos) -> (u64, u64) {
        let (number, count) = self.grid.unpack(word);
        let current = self.grid.number(now);
        if number < current { (current, 0) } else { (number, count) }
    }
}

impl Algorithm for Fixed {
    type State = u64;

    fn most(&self) -> u32 {
        self.most
    }

    fn time(&self) -> Nanos {
        self.grid.time
    }

    fn place(&self, word: &u64, now: Nanos, n: u32) -> Place {
        let (number, count) = self.current(*word, now);
        let n = u64::from(n);
        let (number, count) =
            if count + n <= self.most.into() { (number, count + n) } else { (number + 1, n) };
        Place { at: now.max(self.grid.start(number)), mark: self.grid.pack(number, count) }
    }

    fn take(&self, word: &mut u64, _: Nanos, _: u32, place: Place) {
        *word = place.mark;
    }

    /// What is counted in a window, counts in the one of the same time, which may be longer or shorter.
    fn adopt(&self, word: &mut u64, from: &Fixed, now: Nanos) {
        let (number, count) = from.current(*word, now);
        let number = self.grid.number(from.grid.start(number).max(now));
        *word = self.grid.pack(number, count.min(self.most.into()));
    }

    fn give_back(&self, word: &mut u64, mark: u64, n: u32) {
        let (number, count) = self.grid.unpack(*word);
        if number == self.grid.unpack(mark).0 {
            *word = self.grid.pack(number, count.saturating_sub(n.into()));
        }
    }

    fn remaining(&self, word: &u64, now: Nanos) -> u32 {
        let (number, count) = self.current(*word, now);
        if number > self.grid.number(now) {
            return 0;
        }
        u32::try_from(u64::from(self.most).saturating_sub(count)).unwrap_or(0)
    }

    /// Without a count, at the beginning of the window: it may be one that somebody wanted to wait for, and what the window before has counted is not known any more.
    fn reset_at(&self, word: &u64) -> Nanos {
        let (number, count) = self.grid.unpack(*word);
        self.grid.start(number + u64::from(count > 0))
    }
}
