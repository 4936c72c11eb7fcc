//! Who was charged for what, and under which key.

use std::{
    collections::{HashMap, VecDeque, hash_map::RandomState},
    hash::BuildHasher as _,
};

use serde::Serialize;

use crate::payment::{Charge, Receipt};

/// Keys, and references, that are remembered: the last ones.
const REMEMBERED: usize = 100_000;

/// What the stub has done since it was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Charges that were asked for, whatever came of it.
    pub(crate) requests: u64,
    /// Charges that were made.
    pub(crate) charges: u64,
    /// Those of them that had a key.
    pub(crate) keys: u64,
    /// Those of them whose reference had been charged before.
    pub(crate) doubled: u64,
}

/// What comes of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Charged {
    Now(Receipt),
    /// By an earlier request with the same key and the same body.
    Before(Receipt),
    /// By an earlier request with another body.
    KeyIsTaken,
}

#[derive(Debug)]
pub(super) struct Ledger {
    counts: Counts,
    by_key: Recent<Entry>,
    references: Recent<()>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Entry {
    /// Of the body: what is remembered has a bound.
    fingerprint: u64,
    receipt: Receipt,
}

impl Ledger {
    pub(super) fn new() -> Ledger {
        Ledger::remembering(REMEMBERED)
    }

    fn remembering(most: usize) -> Ledger {
        Ledger {
            counts: Counts::default(),
            by_key: Recent::new(most),
            references: Recent::new(most),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn requested(&mut self) {
        self.counts.requests += 1;
    }

    pub(super) fn charge(&mut self, key: Option<&str>, charge: &Charge) -> Charged {
        let fingerprint = self.hasher.hash_one(charge);
        if let Some(entry) = key.and_then(|key| self.by_key.get(key)) {
            let is_same = entry.fingerprint == fingerprint;
            return if is_same {
                Charged::Before(entry.receipt.clone())
            } else {
                Charged::KeyIsTaken
            };
        }
        self.counts.charges += 1;
        let reference = charge.reference.clone();
        if !self.references.insert(reference.clone(), ()) {
            self.counts.doubled += 1;
        }
        let id = format!("ch_{:016}", self.counts.charges);
        let receipt = Receipt { id, reference, cents: charge.cents };
        if let Some(key) = key {
            self.counts.keys += 1;
            self.by_key.insert(key.to_owned(), Entry { fingerprint, receipt: receipt.clone() });
        }
        Charged::Now(receipt)
    }
}

/// The last so many values, by name.
#[derive(Debug)]
struct Recent<T> {
    values: HashMap<String, T>,
    /// The oldest first.
    names: VecDeque<String>,
    most: usize,
}

impl<T> Recent<T> {
    fn new(most: usize) -> Recent<T> {
        Recent { values: HashMap::new(), names: VecDeque::new(), most }
    }

    fn get(&self, name: &str) -> Option<&T> {
        self.values.get(name)
    }

    /// Whether the name is new. If there are too many, the oldest is forgotten.
    fn insert(&mut self, name: String, value: T) -> bool {
        if self.values.insert(name.clone(), value).is_some() {
            return false;
        }
        self.names.push_back(name);
        if self.names.len() > self.most
            && let Some(oldest) = self.names.pop_front()
        {
            self.values.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charge(reference: &str) -> Charge {
        Charge {
            reference: reference.to_owned(),
            customer: "ann".to_owned(),
            cents: 99,
            description: "buy 1 ACME".to_owned(),
        }
    }

    #[test]
    fn a_key_charges_once_and_one_body_only() {
        let mut ledger = Ledger::new();
        let Charged::Now(receipt) = ledger.charge(Some("k"), &charge("a")) else { panic!() };
        assert_eq!(ledger.charge(Some("k"), &charge("a")), Charged::Before(receipt));
        let other = Charge { cents: 100, ..charge("a") };
        assert_eq!(ledger.charge(Some("k"), &other), Charged::KeyIsTaken);
        let counts = ledger.counts();
        assert_eq!((counts.charges, counts.keys, counts.doubled), (1, 1, 0));
    }

    #[test]
    fn without_a_key_every_request_charges_and_a_second_one_is_seen() {
        let mut ledger = Ledger::new();
        let both = [ledger.charge(None, &charge("a")), ledger.charge(None, &charge("a"))];
        assert!(matches!(&both, [Charged::Now(one), Charged::Now(two)] if one.id != two.id));
        // So does another key.
        ledger.charge(Some("k"), &charge("a"));
        let counts = ledger.counts();
        assert_eq!((counts.charges, counts.keys, counts.doubled), (3, 1, 2));
    }

    #[test]
    fn only_the_last_keys_are_remembered() {
        let mut ledger = Ledger::remembering(3);
        for key in ["a", "b", "c", "d"] {
            ledger.charge(Some(key), &charge(key));
        }
        assert!(matches!(ledger.charge(Some("b"), &charge("b")), Charged::Before(_)));
        assert!(matches!(ledger.charge(Some("a"), &charge("a")), Charged::Now(_)));
        assert_eq!((ledger.by_key.values.len(), ledger.by_key.names.len()), (3, 3));
        assert_eq!((ledger.references.values.len(), ledger.references.names.len()), (3, 3));
    }
}
