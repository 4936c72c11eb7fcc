//! How requests are counted: pure functions of a key's state and a time that is given.

mod fixed;
mod gcra;
mod grid;
pub(crate) mod nanos;
mod two_windows;
mod window;

pub(crate) use self::{fixed::Fixed, gcra::Gcra, two_windows::TwoWindows, window::Window};
use crate::algorithm::nanos::Nanos;

/// Where requests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// When they can be admitted at the earliest.
    pub(crate) at: Nanos,
    /// What they are known by when they are given back.
    pub(crate) mark: u64,
}

/// One way to count.
///
/// For one state, `now` never goes back: the table sees to that. `n` is from 1 to the limit. Places are in the order in which they are taken, so a state can hold
/// places of the future, and then nobody else comes before those.
pub(crate) trait Algorithm: Copy + Send + Sync + 'static {
    /// What is known of a key. The default is a key that was never seen.
    type State: Default + Send;

    /// How many are allowed at once.
    fn most(&self) -> u32;

    /// In how much time.
    fn time(&self) -> Nanos;

    /// When `n` more can be admitted at the earliest. For the default state, that is now.
    fn place(&self, state: &Self::State, now: Nanos, n: u32) -> Place;

    /// Takes the place that [`place`](Algorithm::place) found for the same arguments.
    fn take(&self, state: &mut Self::State, now: Nanos, n: u32, place: Place);

    /// Makes a state of this limit out of one of another: what was counted stays counted, up to all that this one allows, and nobody gets before the places of the future.
    fn adopt(&self, state: &mut Self::State, from: &Self, now: Nanos);

    /// Gives a place back, or a part of it, or nothing, as the state still allows: never so that more than the limit could be admitted.
    fn give_back(&self, state: &mut Self::State, mark: u64, n: u32);

    /// The largest `n` that could be admitted now.
    fn remaining(&self, state: &Self::State, now: Nanos) -> u32;

    /// From when on the state is as good as the default one.
    fn reset_at(&self, state: &Self::State) -> Nanos;

    /// Whether the state is as good as the default one.
    #[inline]
    fn is_idle(&self, state: &Self::State, now: Nanos) -> bool {
        self.reset_at(state) <= now
    }

    /// What a state has allocated.
    fn bytes(_: &Self::State) -> usize {
        0
    }
}
