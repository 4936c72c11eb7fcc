//! The calls of the last while, in ten parts that are forgotten one by one. It is told the time.

use std::array;

use crate::{
    sync::{AtomicU64, Ordering, fence},
    words::{Tally, Tick, update},
};

const PARTS: usize = 10;

/// Two rings of ten counts, each beside the millisecond in which its part began.
///
/// A part that is too old is told by that, however long nobody has called, so nothing has to be cleared. The parts of a stay are laid from its beginning on, and
/// a stay begins after all parts of those before it: a count of an earlier stay is too old as well, whoever writes it and when.
pub(crate) struct Ring {
    /// Milliseconds of a part.
    part: Tick,
    failed: [AtomicU64; PARTS],
    fine: [AtomicU64; PARTS],
}

/// What a ring holds of one stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) failed: u64,
    pub(crate) calls: u64,
}

impl Ring {
    pub(crate) fn over(time: Tick) -> Ring {
        let empty = || array::from_fn(|_| AtomicU64::new(0));
        Ring { part: time.div_ceil(10).max(1), failed: empty(), fine: empty() }
    }

    /// Counts a success. `since` is when the stay began.
    pub(crate) fn succeed(&self, since: Tick, now: Tick) {
        self.count(&self.fine, since, now);
    }

    /// Counts a failure, and says what there is with it.
    pub(crate) fn fail(&self, since: Tick, now: Tick) -> Counts {
        self.count(&self.failed, since, now);
        // Of two failures in two parts, one has to see the other.
        fence(Ordering::SeqCst);
        // Failures first: a success may be seen too many, which is as if it had come a little earlier; a failure without the successes before it never was.
        let failed = load(&self.failed);
        let fine = load(&self.fine);
        let newest = newest(&failed).max(newest(&fine));
        let oldest = since.max(newest.saturating_sub(9 * self.part));
        let failed = sum(&failed, oldest);
        Counts { failed, calls: failed + sum(&fine, oldest) }
    }

    fn count(&self, parts: &[AtomicU64; PARTS], since: Tick, now: Tick) {
        let nth = now.saturating_sub(since) / self.part;
        let began = since + nth * self.part;
        let place = usize::try_from(nth % 10).unwrap_or(0);
        // `None`: its place is taken by a later part, so it is too old to count.
        let _ = update(&parts[place], |word| Some(Tally::unpack(word).one_more(began)?.pack()));
    }

    /// When the newest part began, of any stay. The next stay has to begin later.
    pub(crate) fn newest(&self) -> Tick {
        newest(&load(&self.failed)).max(newest(&load(&self.fine)))
    }

    /// Whether a failure of this stay still counts.
    pub(crate) fn has_failed(&self, since: Tick, now: Tick) -> bool {
        sum(&load(&self.failed), since.max(now.saturating_sub(10 * self.part))) > 0
    }
}

fn load(parts: &[AtomicU64; PARTS]) -> [Tally; PARTS] {
    array::from_fn(|place| Tally::unpack(parts[place].load(Ordering::Acquire)))
}

fn newest(parts: &[Tally]) -> Tick {
    parts.iter().map(|part| part.began).max().unwrap_or(0)
}

fn sum(parts: &[Tally], oldest: Tick) -> u64 {
    parts.iter().filter(|part| part.began >= oldest).map(|part| part.count).sum()
}

#[cfg(all(test, underpin_loom))]
mod models {
    use std::sync::Arc;

    use loom::thread;

    use super::*;

    fn model(check: impl Fn() + Send + Sync + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(check);
    }

    #[test]
    fn of_two_failures_in_two_parts_one_sees_the_other() {
        model(|| {
            let ring = Arc::new(Ring::over(100));
            let other = ring.clone();
            let other = thread::spawn(move || other.fail(0, 9));
            let here = ring.fail(0, 10);
            let there = other.join().unwrap();
            assert!(here.failed == 2 || there.failed == 2);
        });
    }

    #[test]
    fn nothing_is_lost_when_two_begin_a_part() {
        model(|| {
            let ring = Arc::new(Ring::over(100));
            ring.succeed(0, 0);
            let other = ring.clone();
            let other = thread::spawn(move || other.succeed(0, 101));
            ring.succeed(0, 102);
            other.join().unwrap();
            assert_eq!(ring.fail(0, 103), Counts { failed: 1, calls: 3 });
        });
    }

    #[test]
    fn failure_is_never_seen_without_the_successes_before_it() {
        model(|| {
            let ring = Arc::new(Ring::over(100));
            let other = ring.clone();
            let other = thread::spawn(move || {
                other.succeed(0, 0);
                other.fail(0, 0);
            });
            let seen = ring.fail(0, 0);
            assert!(seen.failed < 2 || seen.calls == 3, "{seen:?}");
            other.join().unwrap();
        });
    }

    #[test]
    fn straggler_of_an_earlier_stay_is_counted_for_none() {
        model(|| {
            let ring = Arc::new(Ring::over(10));
            ring.fail(0, 4);
            let straggler = ring.clone();
            let straggler = thread::spawn(move || straggler.fail(0, 5));
            let since = ring.newest().max(5) + 1;
            assert_eq!(ring.fail(since, 6), Counts { failed: 1, calls: 1 });
            straggler.join().unwrap();
            assert_eq!(ring.fail(since, 6), Counts { failed: 2, calls: 2 });
        });
    }
}

#[cfg(all(test, not(underpin_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Event {
        Succeed,
        Fail,
        /// The breaker opens, and closes again.
        Stay,
        Pass(u64),
        Back(u64),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            6 => Just(Event::Succeed),
            6 => Just(Event::Fail),
            1 => Just(Event::Stay),
            6 => (0_u64..40).prop_map(Event::Pass),
            1 => (40_u64..1000).prop_map(Event::Pass),
            1 => (0_u64..1 << 33).prop_map(Event::Pass),
            1 => (0_u64..300).prop_map(Event::Back),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        /// A list of all calls, of which the last ten parts are looked at.
        #[test]
        fn ring_counts_what_a_list_of_all_calls_counts(
            events in prop::collection::vec(event(), 0..300), time in 1_u64..300, begin in 0_u64..1000,
        ) {
            let (ring, part) = (Ring::over(time), time.div_ceil(10));
            let (mut now, mut since) = (begin, 0);
            // Of this stay: which part, and whether it failed.
            let mut calls: Vec<(u64, bool)> = Vec::new();
            let mut latest_part = 0;
            for event in events {
                let nth = now.saturating_sub(since) / part;
                match event {
                    Event::Pass(millis) => now += millis,
                    Event::Back(millis) => now = now.saturating_sub(millis),
                    Event::Stay => {
                        prop_assert_eq!(ring.newest(), latest_part);
                        since = now.max(latest_part) + 1;
                        calls.clear();
                    }
                    Event::Succeed | Event::Fail => {
                        let is_failure = matches!(event, Event::Fail);
                        calls.push((nth, is_failure));
                        latest_part = latest_part.max(since + nth * part);
                        if !is_failure {
                            ring.succeed(since, now);
                            continue;
                        }
                        let latest = calls.iter().map(|call| call.0).max().unwrap_or(0);
                        let recent = calls.iter().filter(|call| call.0 + 9 >= latest);
                        let failed = recent.clone().filter(|call| call.1).count() as u64;
                        let expected = Counts { failed, calls: recent.count() as u64 };
                        prop_assert_eq!(ring.fail(since, now), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn each_part_is_forgotten_whole_and_alone() {
        let ring = Ring::over(100);
        for now in (0..100).step_by(10) {
            ring.fail(0, now);
        }
        // The eleventh takes the place of the first, and so on; what is in the same part leaves together.
        assert_eq!(ring.fail(0, 100).failed, 10);
        assert_eq!(ring.fail(0, 109).failed, 11);
        assert_eq!(ring.fail(0, 110).failed, 11);
        assert_eq!(ring.fail(0, 189).failed, 5);
    }

    #[test]
    fn pause_of_any_length_forgets_all() {
        for parts in 10..200 {
            let ring = Ring::over(100);
            for now in 0..100 {
                ring.fail(0, now);
            }
            // Also when the parts come to the same places again.
            let later = 99 + parts * 10;
            assert!(!ring.has_failed(0, later + 10));
            assert_eq!(ring.fail(0, later), Counts { failed: 1, calls: 1 }, "{parts}");
        }
    }
}
