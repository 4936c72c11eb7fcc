//! The states of all keys, in memory that is taken once.

use std::sync::PoisonError;

use crate::{
    algorithm::{Algorithm, nanos::Nanos},
    limit::Rule,
    outcome::Receipt,
    sync::{Mutex, MutexGuard},
};

/// Slots behind one lock. The more there are, the more evenly keys fill them: with 256, and 1.45 slots for each key that is promised room, the chance that
/// a bucket overflows is one in 120 million.
#[cfg(not(underpin_loom))]
const SLOTS: usize = 256;
#[cfg(underpin_loom)]
const SLOTS: usize = 2;

/// A slot that never held a key. No key has this hash.
const NEVER: u64 = 0;

/// What to do with a new key when there is no slot for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// Deny it, until another key's state is as good as new. Under a flood of keys, those that are known are served, and new ones are not.
    #[default]
    Deny,
    /// Forget the key whose state would be as good as new first. Under a flood of keys, all are served, and those that are forgotten begin anew, so
    /// that more than their limit gets through, also for one that has used it up.
    ForgetLeast,
}

/// Who asks, and what for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) hash: u64,
    pub(crate) n: u32,
    pub(crate) now: Nanos,
}

/// A key's limit, and what is left of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest {
    pub(crate) limit: u32,
    pub(crate) time: Nanos,
    pub(crate) remaining: u32,
    pub(crate) reset_after: Nanos,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) receipt: Receipt,
    pub(crate) rest: Rest,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused {
    /// How long the asker would have had to wait. `None`: it is more than the limit.
    pub(crate) wait: Option<Nanos>,
    pub(crate) is_full: bool,
    pub(crate) rest: Rest,
}

/// A table of any algorithm.
pub(crate) trait Keys: Send + Sync {
    /// Takes a place, if it comes within this time.
    fn take(&self, ask: Ask, within: Nanos) -> Result<Taken, Refused>;
    /// What is left, and how long the asker would have to wait, unless it is more than the limit. Takes nothing.
    fn look(&self, ask: Ask) -> (Option<Nanos>, Rest);
    fn give_back(&self, receipt: Receipt);
    fn forget(&self, hash: u64);
    /// Counts by another rule from now on, one bucket after the other. Whether it is one of the same algorithm: otherwise nothing is done.
    fn change(&self, rule: Rule, now: Nanos) -> bool;
    /// How many keys have a state that counts.
    fn in_use(&self, now: Nanos) -> usize;
    fn bytes(&self) -> usize;
}

pub(crate) struct Table<A: Algorithm> {
    when_full: WhenFull,
    buckets: Box<[Line<Mutex<Bucket<A>>>]>,
}

/// Begins at a cache line: a check touches the first one, which has all but the slots, and the one with the slot.
#[repr(align(64))]
struct Line<T>(T);

#[repr(C)]
struct Bucket<A: Algorithm> {
    /// The latest time that a caller brought. Callers read the clock before they get the lock, so one may come with an earlier time than the one before: for a
    /// bucket, time then stands still.
    now: Nanos,
    /// How often the limit has changed. What was granted before is not known any more.
    version: u32,
    algorithm: A,
    slots: [Slot<A::State>; SLOTS],
}

/// A key's hash and state. Where the state is as good as new, the slot is as good as free.
struct Slot<S> {
    hash: u64,
    state: S,
}

enum Found {
    /// The key's own.
    Held(usize),
    Free(usize),
    /// There is neither. This is the one that is free first, and when.
    Full(usize, Nanos),
}

impl<A: Algorithm> Table<A> {
    pub(crate) fn new(algorithm: A, keys: usize, when_full: WhenFull) -> Table<A> {
        let slots = keys.saturating_mul(29) / 20;
        let bucket = || Bucket {
            now: 0,
            version: 0,
            algorithm,
            slots: std::array::from_fn(|_| Slot { hash: NEVER, state: A::State::default() }),
        };
        let buckets =
            (0..slots.div_ceil(SLOTS).max(1)).map(|_| Line(Mutex::new(bucket()))).collect();
        Table { when_full, buckets }
    }

    /// By the upper bits of the hash. The lower ones say where in the bucket.
    #[inline]
    fn bucket(&self, hash: u64) -> MutexGuard<'_, Bucket<A>> {
        let scaled = (u128::from(hash) * self.buckets.len() as u128) >> u64::BITS;
        let index = usize::try_from(scaled).unwrap_or(0);
        lock(&self.buckets[index].0)
    }
}

/// No code under the lock panics, or is the user's.
#[inline]
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[inline]
fn rest<A: Algorithm>(algorithm: &A, state: &A::State, now: Nanos) -> Rest {
    Rest {
        limit: algorithm.most(),
        time: algorithm.time(),
        remaining: algorithm.remaining(state, now),
        reset_after: algorithm.reset_at(state).saturating_sub(now),
    }
}

impl<A: Algorithm> Bucket<A> {
    /// A key that is in use is before the first slot that was never used, or anywhere if there is none.
    #[inline]
    fn find(&self, hash: u64) -> Found {
        for (step, index) in probes(hash).enumerate() {
            let slot = &self.slots[index];
            if slot.hash == hash {
                return Found::Held(index);
            }
            if slot.hash == NEVER {
                let is_idle =
                    |index: &usize| self.algorithm.is_idle(&self.slots[*index].state, self.now);
                return Found::Free(probes(hash).take(step).find(is_idle).unwrap_or(index));
            }
        }
        self.find_free(hash)
    }

    #[cold]
    fn find_free(&self, hash: u64) -> Found {
        let (mut first, mut first_at) = (0, Nanos::MAX);
        for index in probes(hash) {
            let reset_at = self.algorithm.reset_at(&self.slots[index].state);
            if reset_at <= self.now {
                return Found::Free(index);
            }
            if reset_at < first_at {
                (first, first_at) = (index, reset_at);
            }
        }
        Found::Full(first, first_at)
    }

    fn look(&mut self, ask: Ask) -> (Option<Nanos>, Rest) {
        let (algorithm, now) = (self.algorithm, self.now.max(ask.now));
        let unknown = A::State::default();
        let state = self.held(ask.hash).map_or(&unknown, |slot| &slot.state);
        let can_be = ask.n <= algorithm.most();
        let wait = || algorithm.place(state, now, ask.n.max(1)).at.saturating_sub(now);
        (can_be.then(wait), rest(&algorithm, state, now))
    }

    fn held(&mut self, hash: u64) -> Option<&mut Slot<A::State>> {
        let index = probes(hash)
            .take_while(|index| self.slots[*index].hash != NEVER)
            .find(|index| self.slots[*index].hash == hash)?;
        self.slots.get_mut(index)
    }
}

/// Where a key may be, in order.
#[inline]
fn probes(hash: u64) -> impl Iterator<Item = usize> {
    #[expect(clippy::cast_possible_truncation, reason = "only the lower bits are meant")]
    let start = hash as usize;
    (0..SLOTS).map(move |step| start.wrapping_add(step) % SLOTS)
}

impl<A: Algorithm + TryFrom<Rule>> Keys for Table<A> {
    fn take(&self, ask: Ask, within: Nanos) -> Result<Taken, Refused> {
        let bucket = &mut *self.bucket(ask.hash);
        if ask.n > bucket.algorithm.most() {
            let (wait, rest) = bucket.look(ask);
            return Err(Refused { wait, is_full: false, rest });
        }
        bucket.now = bucket.now.max(ask.now);
        let now = bucket.now;
        let index = match bucket.find(ask.hash) {
            Found::Held(index) => index,
            Found::Full(_, reset_at) if self.when_full == WhenFull::Deny => {
                let wait = reset_at - now;
                let rest = rest(&bucket.algorithm, &A::State::default(), now);
                let rest = Rest { remaining: 0, reset_after: wait, ..rest };
                return Err(Refused { wait: Some(wait), is_full: true, rest });
            }
            Found::Free(index) | Found::Full(index, _) => {
                bucket.slots[index] = Slot { hash: ask.hash, state: A::State::default() };
                index
            }
        };
        let (algorithm, state) = (&bucket.algorithm, &mut bucket.slots[index].state);
        let place = algorithm.place(state, now, ask.n);
        let wait = place.at.saturating_sub(now);
        if wait > within {
            let rest = rest(algorithm, state, now);
            return Err(Refused { wait: Some(wait), is_full: false, rest });
        }
        algorithm.take(state, now, ask.n, place);
        let rest = rest(algorithm, state, now);
        let Ask { hash, n, .. } = ask;
        let receipt = Receipt { hash, mark: place.mark, n, version: bucket.version, wait };
        Ok(Taken { receipt, rest })
    }

    fn look(&self, ask: Ask) -> (Option<Nanos>, Rest) {
        self.bucket(ask.hash).look(ask)
    }

    fn give_back(&self, Receipt { hash, mark, n, version, .. }: Receipt) {
        let mut bucket = self.bucket(hash);
        if bucket.version != version {
            return;
        }
        let algorithm = bucket.algorithm;
        if let Some(slot) = bucket.held(hash) {
            algorithm.give_back(&mut slot.state, mark, n);
        }
    }

    fn forget(&self, hash: u64) {
        if let Some(slot) = self.bucket(hash).held(hash) {
            slot.state = A::State::default();
        }
    }

    fn change(&self, rule: Rule, now: Nanos) -> bool {
        let Ok(algorithm) = A::try_from(rule) else { return false };
        for bucket in &self.buckets {
            let bucket = &mut *lock(&bucket.0);
            bucket.now = bucket.now.max(now);
            for slot in &mut bucket.slots {
                algorithm.adopt(&mut slot.state, &bucket.algorithm, bucket.now);
            }
            bucket.algorithm = algorithm;
            bucket.version = bucket.version.wrapping_add(1);
        }
        true
    }

    fn in_use(&self, now: Nanos) -> usize {
        let in_bucket = |bucket: &Line<Mutex<Bucket<A>>>| {
            let bucket = lock(&bucket.0);
            let now = bucket.now.max(now);
            let is_used = |slot: &&Slot<A::State>| !bucket.algorithm.is_idle(&slot.state, now);
            bucket.slots.iter().filter(is_used).count()
        };
        self.buckets.iter().map(in_bucket).sum()
    }

    fn bytes(&self) -> usize {
        let in_bucket = |bucket: &Line<Mutex<Bucket<A>>>| {
            lock(&bucket.0).slots.iter().map(|slot| A::bytes(&slot.state)).sum::<usize>()
        };
        size_of_val(&*self.buckets) + self.buckets.iter().map(in_bucket).sum::<usize>()
    }
}

#[cfg(all(test, underpin_loom))]
mod models {
    use std::sync::Arc;

    use loom::thread;

    use super::*;
    use crate::algorithm::{Fixed, Gcra, TwoWindows, Window};

    const SECOND: Nanos = 1_000_000_000;

    fn ask(hash: u64, now: Nanos) -> Ask {
        Ask { hash, n: 1, now }
    }

    /// One a second, in one bucket of two slots.
    fn model(check: impl Fn(Arc<dyn Keys>) + Send + Sync + 'static) {
        let check = Arc::new(check);
        let tables: [fn() -> Arc<dyn Keys>; 4] = [
            || Arc::new(Table::new(Window::new(1, SECOND), 1, WhenFull::Deny)),
            || Arc::new(Table::new(Gcra::new(1, SECOND), 1, WhenFull::Deny)),
            || Arc::new(Table::new(Fixed::new(1, SECOND).expect("fits"), 1, WhenFull::Deny)),
            || Arc::new(Table::new(TwoWindows::new(1, SECOND).expect("fits"), 1, WhenFull::Deny)),
        ];
        for table in tables {
            let check = check.clone();
            loom::model(move || check(table()));
        }
    }

    #[test]
    fn one_of_two_that_ask_at_once_is_granted() {
        model(|table| {
            let other = table.clone();
            // Whoever has the earlier time may come second.
            let other = thread::spawn(move || other.take(ask(1, SECOND + 1), 0).is_ok());
            let here = table.take(ask(1, SECOND), 0).is_ok();
            assert!(here != other.join().unwrap());
            assert!(table.take(ask(1, SECOND), 0).is_err());
        });
    }

    #[test]
    fn place_that_is_given_back_is_had_by_one() {
        model(|table| {
            let taken = table.take(ask(1, SECOND), 0).expect("it is free");
            let (back, other) = (table.clone(), table.clone());
            let back = thread::spawn(move || back.give_back(taken.receipt));
            let other = thread::spawn(move || other.take(ask(1, SECOND), 0).is_ok());
            let here = table.take(ask(1, SECOND), 0).is_ok();
            back.join().unwrap();
            let there = other.join().unwrap();
            let late = table.take(ask(1, SECOND), 0).is_ok();
            assert_eq!([here, there, late].into_iter().filter(|granted| *granted).count(), 1);
        });
    }

    #[test]
    fn change_that_races_counts_and_grants_by_one_of_the_two() {
        let change: [fn() -> Rule; 4] = [
            || Rule::Window(Window::new(2, SECOND)),
            || Rule::Gcra(Gcra::new(1, SECOND).with_burst(2).expect("fits")),
            || Rule::Fixed(Fixed::new(2, SECOND).expect("fits")),
            || Rule::TwoWindows(TwoWindows::new(2, SECOND).expect("fits")),
        ];
        model(move |table| {
            let (other, asking) = (table.clone(), table.clone());
            let other = thread::spawn(move || {
                let is_known = |rule: &fn() -> Rule| other.change(rule(), SECOND);
                assert_eq!(change.iter().filter(|rule| is_known(rule)).count(), 1);
            });
            let there = thread::spawn(move || asking.take(ask(1, SECOND), 0).is_ok());
            let taken = table.take(ask(1, SECOND), 0);
            other.join().unwrap();
            let granted = u32::from(taken.is_ok()) + u32::from(there.join().unwrap());
            assert!(granted >= 1);
            let late = (0..2).filter(|_| table.take(ask(1, SECOND), 0).is_ok()).count();
            assert_eq!(granted + u32::try_from(late).unwrap(), 2, "two, by the later one");
        });
    }

    #[test]
    fn new_key_gets_one_slot_though_it_asks_twice_at_once() {
        model(|table| {
            let other = table.clone();
            let other = thread::spawn(move || other.take(ask(1, SECOND), 0).is_ok());
            let here = table.take(ask(1, SECOND), 0).is_ok();
            assert!(here != other.join().unwrap());
            assert_eq!(table.in_use(SECOND), 1);
            assert!(table.take(ask(2, SECOND), 0).is_ok(), "the other slot is free");
            assert!(table.take(ask(3, SECOND), 0).is_err_and(|refused| refused.is_full));
        });
    }
}
