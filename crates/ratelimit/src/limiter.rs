//! The limiter.

use std::{
    borrow::Cow,
    fmt,
    hash::{BuildHasher as _, Hash, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    algorithm::nanos::{Nanos, nanos},
    all::Charge,
    builder::Builder,
    limit::{Limit, Rule},
    log::Log,
    outcome::{Denied, Granted, Receipt, Snapshot, Why},
    table::{Ask, Keys, Refused, Rest, Table, Taken, WhenFull},
};

/// Counts requests for each key, and denies those above the limit.
///
/// A key is anything that can be hashed: an address, a user, a tuple of both; without one, `&()`. It is known by a 64-bit hash with a random seed, which nobody outside
/// can aim at, and is not kept itself.
///
/// Memory for as many keys as promised, 100,000 unless set, is taken when it is made. A key whose state is as good as new takes no room, so nothing has to be swept.
///
/// Clones are the same limiter. A check takes a lock that it shares with a few hundred other keys, for as long as it takes to find a slot and to add; it never waits for
/// anything else.
#[derive(Clone)]
pub struct Limiter {
    shared: Arc<Shared>,
}

struct Shared {
    name: Cow<'static, str>,
    limit: Mutex<Limit>,
    hasher: RandomState,
    epoch: Instant,
    log: Log,
    keys: Box<dyn Keys>,
}

impl Limiter {
    /// One with the usual settings: room for 100,000 keys, a new one denied when there is none, the name `default`.
    #[must_use]
    pub fn new(limit: Limit) -> Limiter {
        Limiter::builder(limit).build()
    }

    /// One with settings of its own.
    pub fn builder(limit: Limit) -> Builder {
        Builder::new(limit)
    }

    pub(crate) fn with(
        limit: Limit,
        name: Cow<'static, str>,
        keys: usize,
        when_full: WhenFull,
    ) -> Limiter {
        let keys: Box<dyn Keys> = match limit.0 {
            Rule::Window(rule) => Box::new(Table::new(rule, keys, when_full)),
            Rule::Gcra(rule) => Box::new(Table::new(rule, keys, when_full)),
            Rule::Fixed(rule) => Box::new(Table::new(rule, keys, when_full)),
            Rule::TwoWindows(rule) => Box::new(Table::new(rule, keys, when_full)),
        };
        let (hasher, epoch) = (RandomState::new(), now());
        let (limit, log) = (Mutex::new(limit), Log::default());
        let shared = Shared { name, limit, hasher, epoch, log, keys };
        Limiter { shared: Arc::new(shared) }
    }

    /// Asks for one request, and counts it if it is granted.
    ///
    /// # Errors
    ///
    /// When it is denied. Then nothing is counted.
    #[inline]
    pub fn check<K: Hash + ?Sized>(&self, key: &K) -> Result<Granted, Denied> {
        self.checked(self.hash(key), 1, now())
    }

    /// The same for `n` at once: all of them or none. 0 are always granted, and count nothing.
    ///
    /// # Errors
    ///
    /// When they are denied. More than the limit are denied for good: [`Why::TooMany`].
    #[inline]
    pub fn check_n<K: Hash + ?Sized>(&self, key: &K, n: u32) -> Result<Granted, Denied> {
        self.checked(self.hash(key), n, now())
    }

    /// The same, at a time of the caller's: for tests. One that is before that of an earlier call counts as that one.
    ///
    /// # Errors
    ///
    /// When they are denied.
    pub fn check_at<K: Hash + ?Sized>(
        &self,
        key: &K,
        n: u32,
        now: Instant,
    ) -> Result<Granted, Denied> {
        self.checked(self.hash(key), n, now)
    }

    fn checked(&self, hash: u64, n: u32, now: Instant) -> Result<Granted, Denied> {
        let now = self.nanos(now);
        self.ask(hash, n, now, 0).inspect_err(|denied| self.log(denied, now))
    }

    /// Takes a place that comes within this time.
    #[inline]
    pub(crate) fn ask(
        &self,
        hash: u64,
        n: u32,
        now: Nanos,
        within: Nanos,
    ) -> Result<Granted, Denied> {
        if n == 0 {
            let rest = self.look(hash, n, now)?;
            return Ok(granted(rest, Receipt { hash, mark: 0, n, version: 0, wait: 0 }));
        }
        match self.shared.keys.take(Ask { hash, n, now }, within) {
            Ok(Taken { receipt, rest }) => Ok(granted(rest, receipt)),
            Err(Refused { is_full, wait, rest }) => {
                let why = match (wait, is_full, within) {
                    (None, ..) => Why::TooMany,
                    (_, true, _) => Why::Full,
                    (_, false, 0) => Why::Limit,
                    (_, false, _) => Why::TooLate,
                };
                Err(self.denied(why, wait, rest))
            }
        }
    }

    /// Whether `n` could be granted now, and what is left. Takes nothing.
    pub(crate) fn look(&self, hash: u64, n: u32, now: Nanos) -> Result<Rest, Denied> {
        match self.shared.keys.look(Ask { hash, n, now }) {
            (None, rest) => Err(self.denied(Why::TooMany, None, rest)),
            (wait, rest) if n > 0 && wait > Some(0) => Err(self.denied(Why::Limit, wait, rest)),
            (_, rest) => Ok(rest),
        }
    }

    fn denied(&self, why: Why, wait: Option<Nanos>, rest: Rest) -> Denied {
        Denied {
            name: self.shared.name.clone(),
            why,
            limit: rest.limit,
            remaining: rest.remaining,
            reset_after: Duration::from_nanos(rest.reset_after),
            retry_after: wait.map(Duration::from_nanos),
            time: rest.time,
        }
    }

    pub(crate) fn log(&self, denied: &Denied, now: Nanos) {
        self.shared.log.denied(denied, now);
    }

    /// What is left of a key's limit. Counts nothing.
    pub fn peek<K: Hash + ?Sized>(&self, key: &K) -> Snapshot {
        self.peek_at(key, now())
    }

    /// The same, at a time of the caller's: for tests.
    pub fn peek_at<K: Hash + ?Sized>(&self, key: &K, now: Instant) -> Snapshot {
        let now = self.nanos(now);
        let (wait, rest) = self.shared.keys.look(Ask { hash: self.hash(key), n: 1, now });
        Snapshot {
            limit: rest.limit,
            remaining: rest.remaining,
            reset_after: Duration::from_nanos(rest.reset_after),
            retry_after: Duration::from_nanos(wait.unwrap_or(0)),
        }
    }

    /// How many more requests of this key are allowed now.
    pub fn remaining<K: Hash + ?Sized>(&self, key: &K) -> u32 {
        self.peek(key).remaining
    }

    /// Gives back what was granted and not used.
    ///
    /// Windows take it back exactly. A rate ([`Limit::gcra`]) takes it back if nothing else was granted to the key since, and otherwise not at all: what came later counts on
    /// it. In no case does more than the limit get through. A grant of another limiter changes nothing.
    #[expect(clippy::needless_pass_by_value, reason = "what is given back is gone")]
    pub fn refund(&self, granted: Granted) {
        self.give_back(granted.receipt);
    }

    pub(crate) fn give_back(&self, receipt: Receipt) {
        if receipt.n > 0 {
            self.shared.keys.give_back(receipt);
        }
    }

    /// Changes the limit for all keys, from now on. Nobody is charged afterwards, and nothing is forgiven but what the new limit could not count:
    ///
    /// - What was counted stays counted. A key that has used more than the new limit allows has used that up: of a [`gcra`](Limit::gcra), it waits for one place at most.
    ///   What a shorter window has left behind does not count in a longer one.
    /// - What was granted stays granted, but cannot be given back any more. Those who wait keep their places and their times, and nobody gets before them.
    /// - Where windows of a grid get another length, what is used up now counts in the new window of this time.
    ///
    /// It goes through all keys, a few hundred under one lock: about 20 ms for 5,000,000. A key is counted by one of the two limits at any time, and by the new one when this returns.
    ///
    /// # Panics
    ///
    /// With a limit of another algorithm: make another limiter.
    #[track_caller]
    pub fn set_limit(&self, limit: Limit) {
        let mut current = self.current();
        assert!(
            self.shared.keys.change(limit.0, self.nanos(now())),
            "the limit is counted in another way than {current:?}: make another limiter"
        );
        *current = limit;
    }

    /// Held for as long as a change takes, so that the last change is the last everywhere.
    fn current(&self) -> MutexGuard<'_, Limit> {
        self.shared.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was counted for a key. What was granted before is not to be given back after that: it would count as given back of what comes later.
    pub fn reset<K: Hash + ?Sized>(&self, key: &K) {
        self.shared.keys.forget(self.hash(key));
    }

    /// One request of this key, to be granted together with those of other limiters: [`check_all`](crate::check_all).
    pub fn of<K: Hash + ?Sized>(&self, key: &K) -> Charge<'_> {
        Charge::new(self, self.hash(key))
    }

    /// The name it was made with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// What it allows.
    #[must_use]
    pub fn limit(&self) -> Limit {
        *self.current()
    }

    /// How many keys have a state that is not as good as new. It looks at every slot: for a gauge, not for each request.
    #[must_use]
    pub fn keys_in_use(&self) -> usize {
        self.shared.keys.in_use(self.nanos(now()))
    }

    /// How much memory the states take. It looks at every slot.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.shared.keys.bytes()
    }

    #[inline]
    pub(crate) fn hash<K: Hash + ?Sized>(&self, key: &K) -> u64 {
        // 0 stands for no key.
        self.shared.hasher.hash_one(key).max(1)
    }

    #[inline]
    pub(crate) fn nanos(&self, now: Instant) -> Nanos {
        nanos(now.saturating_duration_since(self.shared.epoch))
    }
}

#[inline]
fn granted(rest: Rest, receipt: Receipt) -> Granted {
    Granted {
        limit: rest.limit,
        remaining: rest.remaining,
        reset_after: Duration::from_nanos(rest.reset_after),
        time: rest.time,
        receipt,
    }
}

/// With the feature `tokio`, its clock: the same one, unless a test pauses it.
#[inline]
pub(crate) fn now() -> Instant {
    #[cfg(feature = "tokio")]
    return tokio::time::Instant::now().into_std();
    #[cfg(not(feature = "tokio"))]
    Instant::now()
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("name", &self.name())
            .field("limit", &self.limit())
            .finish_non_exhaustive()
    }
}
