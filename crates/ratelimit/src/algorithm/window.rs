//! The exact sliding window.

use std::collections::VecDeque;

use crate::algorithm::{Algorithm, Place, nanos::Nanos};

/// At most so many in any stretch of this length: the time of each request is kept until it has left the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) most: u32,
    pub(crate) time: Nanos,
}

impl Window {
    pub(crate) fn new(most: u32, time: Nanos) -> Window {
        Window { most, time }
    }

    fn room(&self) -> usize {
        self.most as usize
    }
}

impl Algorithm for Window {
    /// The times of those that were admitted, and that are going to be, in order. It grows on demand, to what is in a window and what waits.
    type State = VecDeque<Nanos>;

    fn most(&self) -> u32 {
        self.most
    }

    fn time(&self) -> Nanos {
        self.time
    }

    fn place(&self, admitted: &VecDeque<Nanos>, now: Nanos, n: u32) -> Place {
        // Whoever waits is not overtaken.
        let turn = admitted.back().map_or(now, |last| now.max(*last));
        let over = (admitted.len() + n as usize).saturating_sub(self.room());
        let room = over.checked_sub(1).and_then(|last| admitted.get(last));
        let at = room.map_or(turn, |last| turn.max(last.saturating_add(self.time)));
        Place { at, mark: at }
    }

    fn take(&self, admitted: &mut VecDeque<Nanos>, now: Nanos, n: u32, place: Place) {
        // By now, not by the place's time: if those that wait give up, the times before count again.
        let left = admitted.partition_point(|time| time.saturating_add(self.time) <= now);
        admitted.drain(..left);
        if admitted.is_empty() && admitted.capacity() / 2 > self.room() {
            *admitted = VecDeque::new();
        }
        admitted.extend((0..n).map(|_| place.at));
    }

    /// The times are what they are, whatever the limit. Those that have left a shorter window do not come back into a longer one.
    fn adopt(&self, admitted: &mut VecDeque<Nanos>, from: &Window, now: Nanos) {
        let left = admitted.partition_point(|time| time.saturating_add(from.time) <= now);
        admitted.drain(..left);
    }

    fn give_back(&self, admitted: &mut VecDeque<Nanos>, mark: u64, n: u32) {
        let from = admitted.partition_point(|time| *time < mark);
        let to = admitted.partition_point(|time| *time <= mark);
        admitted.drain(from..to.min(from + n as usize));
    }

    fn remaining(&self, admitted: &VecDeque<Nanos>, now: Nanos) -> u32 {
        if admitted.back().is_some_and(|last| *last > now) {
            return 0;
        }
        let left = admitted.partition_point(|time| time.saturating_add(self.time) <= now);
        u32::try_from(self.room().saturating_sub(admitted.len() - left)).unwrap_or(0)
    }

    fn reset_at(&self, admitted: &VecDeque<Nanos>) -> Nanos {
        admitted.back().map_or(0, |last| last.saturating_add(self.time))
    }

    fn bytes(admitted: &VecDeque<Nanos>) -> usize {
        admitted.capacity() * size_of::<Nanos>()
    }
}
