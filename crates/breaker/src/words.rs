//! What the machine is made of: words that each hold a count beside the generation it belongs to.
//!
//! A generation is the time between two changes of state. Because it stands in the word itself, a count of an earlier generation can be told from one of this one
//! by whoever reads it, and nothing has to be reset when the state changes.

use std::cmp;

use crate::sync::{AtomicU64, Ordering};

/// Which stay in a state it is. 24 bits; what is compared is never half of that apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation(u32);

const GENERATION: u32 = 24;
const REST: u32 = u64::BITS - GENERATION;

impl Generation {
    pub(crate) const FIRST: Generation = Generation(0);

    pub(crate) fn next(self) -> Generation {
        Generation((self.0 + 1) & mask32(GENERATION))
    }

    pub(crate) fn is_after(self, other: Generation) -> bool {
        let distance = self.0.wrapping_sub(other.0) & mask32(GENERATION);
        distance != 0 && distance < 1 << (GENERATION - 1)
    }

    pub(crate) fn number(self) -> u32 {
        self.0
    }

    #[inline]
    fn of(word: u64) -> Generation {
        Generation(u32::try_from(word >> REST).unwrap_or(0))
    }

    fn with(self, rest: u64) -> u64 {
        u64::from(self.0) << REST | rest & mask(REST)
    }
}

const fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

const fn mask32(bits: u32) -> u32 {
    (1 << bits) - 1
}

/// Milliseconds since the breaker was made: 38 bits, which is eight years.
pub(crate) type Tick = u64;

const TICK: u32 = REST - 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Closed,
    Open,
    HalfOpen,
}

/// The state: which, which stay, and since when it is closed or until when it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StateWord {
    pub(crate) kind: Kind,
    pub(crate) generation: Generation,
    pub(crate) tick: Tick,
}

impl StateWord {
    #[inline]
    pub(crate) fn unpack(word: u64) -> StateWord {
        let kind = match word >> TICK & mask(2) {
            0 => Kind::Closed,
            1 => Kind::Open,
            _ => Kind::HalfOpen,
        };
        StateWord { kind, generation: Generation::of(word), tick: word & mask(TICK) }
    }

    pub(crate) fn pack(self) -> u64 {
        let kind = match self.kind {
            Kind::Closed => 0,
            Kind::Open => 1,
            Kind::HalfOpen => 2,
        };
        self.generation.with(kind << TICK | self.tick.min(mask(TICK)))
    }
}

/// Failures in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Streak {
    pub(crate) generation: Generation,
    pub(crate) failures: u64,
}

impl Streak {
    #[inline]
    pub(crate) fn unpack(word: u64) -> Streak {
        Streak { generation: Generation::of(word), failures: word & mask(REST) }
    }

    pub(crate) fn pack(self) -> u64 {
        self.generation.with(self.failures.min(mask(REST)))
    }
}

/// The most calls that a window can look back on.
pub(crate) const LONGEST_WINDOW: u32 = 32;

const LENGTH: u32 = 6;

/// How the last calls went: a bit each, 1 for a failure, the latest lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) generation: Generation,
    pub(crate) calls: u32,
    pub(crate) failed: u32,
}

impl Window {
    #[inline]
    pub(crate) fn unpack(word: u64) -> Window {
        let calls = u32::try_from(word >> LONGEST_WINDOW & mask(LENGTH)).unwrap_or(0);
        let failed = u32::try_from(word & mask(LONGEST_WINDOW)).unwrap_or(0);
        Window { generation: Generation::of(word), calls, failed }
    }

    pub(crate) fn pack(self) -> u64 {
        self.generation.with(u64::from(self.calls) << LONGEST_WINDOW | u64::from(self.failed))
    }

    /// One call later. `last` is how many it looks back on.
    pub(crate) fn push(self, failed: bool, last: u32) -> Window {
        let window = u32::MAX >> (LONGEST_WINDOW - last);
        let failed = (self.failed << 1 | u32::from(failed)) & window;
        Window { calls: (self.calls + 1).min(last), failed, ..self }
    }

    pub(crate) fn failures(self) -> u32 {
        self.failed.count_ones()
    }
}

const TALLY: u32 = u64::BITS - TICK;

/// Calls of one part of a time, and when that began. The millisecond is never used twice, so it needs no generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) began: Tick,
    pub(crate) count: u64,
}

impl Tally {
    pub(crate) fn unpack(word: u64) -> Tally {
        Tally { began: word >> TALLY, count: word & mask(TALLY) }
    }

    pub(crate) fn pack(self) -> u64 {
        self.began.min(mask(TICK)) << TALLY | self.count.min(mask(TALLY))
    }

    /// With one call of the part that began then; `None`, when this is a later one.
    pub(crate) fn one_more(self, began: Tick) -> Option<Tally> {
        match self.began.cmp(&began) {
            cmp::Ordering::Less => Some(Tally { began, count: 1 }),
            cmp::Ordering::Equal => Some(Tally { began, count: self.count + 1 }),
            cmp::Ordering::Greater => None,
        }
    }
}

const COUNT: u32 = REST / 2;

/// Probes of one half-open stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Probes {
    pub(crate) generation: Generation,
    pub(crate) succeeded: u64,
    pub(crate) in_flight: u64,
}

impl Probes {
    pub(crate) fn unpack(word: u64) -> Probes {
        let (succeeded, in_flight) = (word >> COUNT & mask(COUNT), word & mask(COUNT));
        Probes { generation: Generation::of(word), succeeded, in_flight }
    }

    pub(crate) fn pack(self) -> u64 {
        self.generation.with(self.succeeded << COUNT | self.in_flight)
    }
}

/// Replaces a word by what `change` makes of it, and returns that; `None` when `change` wants nothing.
pub(crate) fn update(word: &AtomicU64, change: impl Fn(u64) -> Option<u64>) -> Option<u64> {
    let before = word.fetch_update(Ordering::AcqRel, Ordering::Acquire, &change);
    before.ok().and_then(change)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn generation() -> impl Strategy<Value = Generation> {
        (0_u32..1 << GENERATION).prop_map(Generation)
    }

    proptest! {
        #[test]
        fn words_hold_what_they_are_given(
            generation in generation(), tick in 0_u64..1 << TICK, count in 0_u64..1 << COUNT,
            other in 0_u64..1 << COUNT, failures in 0_u64..1 << REST, calls in 0_u32..=32, failed: u32,
        ) {
            for kind in [Kind::Closed, Kind::Open, Kind::HalfOpen] {
                let state = StateWord { kind, generation, tick };
                prop_assert_eq!(StateWord::unpack(state.pack()), state);
            }
            let streak = Streak { generation, failures };
            prop_assert_eq!(Streak::unpack(streak.pack()), streak);
            let window = Window { generation, calls, failed };
            prop_assert_eq!(Window::unpack(window.pack()), window);
            let probes = Probes { generation, succeeded: count, in_flight: other };
            prop_assert_eq!(Probes::unpack(probes.pack()), probes);
            let tally = Tally { began: tick, count };
            prop_assert_eq!(Tally::unpack(tally.pack()), tally);
        }

        #[test]
        fn generations_are_ordered_across_the_end_of_their_numbers(from in generation(), steps in 1_u32..1000) {
            let later = (0..steps).fold(from, |generation, _| generation.next());
            prop_assert!(later.is_after(from) && !from.is_after(later) && !from.is_after(from));
        }

        #[test]
        fn window_holds_the_last_calls(outcomes in prop::collection::vec(any::<bool>(), 0..100), last in 1_u32..=32) {
            let mut window = Window { generation: Generation::FIRST, calls: 0, failed: 0 };
            for failed in &outcomes {
                window = window.push(*failed, last);
            }
            let seen: Vec<_> = outcomes.iter().rev().take(last as usize).collect();
            prop_assert_eq!(window.calls as usize, seen.len());
            prop_assert_eq!(window.failures() as usize, seen.iter().filter(|failed| ***failed).count());
        }
    }
}
