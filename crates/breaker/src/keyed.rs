//! A breaker for each key, in bounded memory.

use std::{
    collections::{HashMap, hash_map::RandomState},
    fmt,
    hash::{BuildHasher as _, Hash},
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::breaker::Breaker;

/// Locks that share the keys, so that callers of different keys seldom meet.
const SHARDS: usize = 16;

/// How many are looked at for one that can be given up.
const LOOK: usize = 32;

/// A breaker for each key: for each host, for each tenant.
///
/// There are never more than the capacity. When there is no room, one that is closed, has nothing to remember and is in nobody's hands is given up; one that is open
/// never is, for that would close it. If none can be given up, a new key gets a breaker that is not kept: its calls go through, and nothing is
/// remembered between them.
///
/// Looking a key up takes a shared lock of one of 16 shards; the calls themselves take none.
pub struct Breakers<K> {
    make: Box<dyn Fn(&K) -> Breaker + Send + Sync>,
    hasher: RandomState,
    /// For each shard.
    room: usize,
    shards: Box<[RwLock<HashMap<K, Entry>>]>,
}

struct Entry {
    breaker: Breaker,
    /// Asked for since somebody last looked for one to give up.
    is_used: AtomicBool,
}

impl<K: Hash + Eq + Clone> Breakers<K> {
    /// Room for so many keys; `make` makes a breaker for a new one. The capacity is rounded up to a multiple of 16.
    ///
    /// # Panics
    ///
    /// With a capacity of 0.
    #[track_caller]
    pub fn new(
        capacity: usize,
        make: impl Fn(&K) -> Breaker + Send + Sync + 'static,
    ) -> Breakers<K> {
        assert!(capacity > 0, "there is no room for a breaker in a capacity of 0");
        Breakers {
            make: Box::new(make),
            hasher: RandomState::new(),
            room: capacity.div_ceil(SHARDS),
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
        }
    }

    /// The breaker of this key.
    pub fn get(&self, key: &K) -> Breaker {
        let shard = &self.shards[self.shard(key)];
        {
            let entries = shard.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(entry) = entries.get(key) {
                entry.is_used.store(true, Ordering::Relaxed);
                return entry.breaker.clone();
            }
        }
        // Under no lock: it is the user's code.
        let breaker = (self.make)(key);
        let mut entries = shard.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(key) {
            return entry.breaker.clone();
        }
        if entries.len() >= self.room {
            let Some(spare) = spare(&entries) else { return breaker };
            entries.remove(&spare);
        }
        entries.insert(
            key.clone(),
            Entry { breaker: breaker.clone(), is_used: AtomicBool::new(true) },
        );
        breaker
    }

    fn shard(&self, key: &K) -> usize {
        usize::try_from(self.hasher.hash_one(key) >> 32).unwrap_or(0) % SHARDS
    }

    /// How many keys have a breaker.
    pub fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len())
            .sum()
    }

    /// Whether no key has one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, with their keys, at about this time.
    pub fn all(&self) -> Vec<(K, Breaker)> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let entries = shard.read().unwrap_or_else(PoisonError::into_inner);
            all.extend(entries.iter().map(|(key, entry)| (key.clone(), entry.breaker.clone())));
        }
        all
    }
}

/// One that can be given up: preferably one that was not asked for lately.
fn spare<K: Clone>(entries: &HashMap<K, Entry>) -> Option<K> {
    let mut used = None;
    let mut seen = 0;
    for (key, entry) in entries {
        if !entry.breaker.is_spare() {
            continue;
        }
        if !entry.is_used.swap(false, Ordering::Relaxed) {
            return Some(key.clone());
        }
        used.get_or_insert(key);
        seen += 1;
        if seen == LOOK {
            break;
        }
    }
    used.cloned()
}

impl<K> fmt::Debug for Breakers<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breakers").field("capacity", &(self.room * SHARDS)).finish_non_exhaustive()
    }
}
