//! What a client counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
};

use serde_json::Value;

/// How many failures of a client are kept with their text.
const EXAMPLES: usize = 5;

/// One way to fail a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// No connection.
    Refused,
    /// A connection that ended before the answer began.
    Reset,
    /// A connection that ended inside the answer, or an answer that is not HTTP.
    Truncated,
    /// Another status than the one that belongs to the request: 503, for one.
    Status,
    /// No answer in time.
    TimedOut,
    /// A stream that ended without goodbye.
    Cut,
    /// An order that was acknowledged and does not exist.
    Lost,
    /// An order that was sent once and exists more than once.
    Doubled,
}

/// What one client counted.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Its name in the table.
    pub client: String,
    /// Requests and streams that were begun.
    pub requests: u64,
    /// Streams that ended with a goodbye.
    pub goodbyes: u64,
    /// Requests and streams that failed.
    pub failures: BTreeMap<Kind, u64>,
    /// The first few failures in words.
    pub examples: Vec<String>,
    /// The orders it placed.
    pub orders: Orders,
}

/// Orders that one client placed; each carries its number as its quantity.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    /// The symbol that no other client uses.
    pub symbol: String,
    /// Numbered from 1 to this.
    pub sent: u64,
    /// Those that failed: they may exist or not.
    pub unacknowledged: BTreeSet<u64>,
}

impl Kind {
    /// All, in the order of the enum.
    pub const ALL: [Kind; 8] = [
        Kind::Refused,
        Kind::Reset,
        Kind::Truncated,
        Kind::Status,
        Kind::TimedOut,
        Kind::Cut,
        Kind::Lost,
        Kind::Doubled,
    ];

    /// The word in tables and in what the scripts print.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Refused => "refused",
            Kind::Reset => "reset",
            Kind::Truncated => "truncated",
            Kind::Status => "status",
            Kind::TimedOut => "timed out",
            Kind::Cut => "cut",
            Kind::Lost => "lost",
            Kind::Doubled => "doubled",
        }
    }
}

impl Tally {
    /// An empty one.
    pub fn new(client: impl Into<String>) -> Tally {
        Tally { client: client.into(), ..Tally::default() }
    }

    /// Failures of all kinds together.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Counts `count` failures; `text` is kept if it is one of the first.
    pub fn fail(&mut self, kind: Kind, count: u64, text: impl Into<String>) {
        if count == 0 {
            return;
        }
        *self.failures.entry(kind).or_default() += count;
        if self.examples.len() < EXAMPLES {
            self.examples.push(format!("{}: {}", kind.name(), text.into()));
        }
    }

    /// Adds what another thread of the same client counted.
    pub(crate) fn add(&mut self, other: Tally) {
        self.requests += other.requests;
        self.goodbyes += other.goodbyes;
        for (kind, count) in other.failures {
            *self.failures.entry(kind).or_default() += count;
        }
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES);
        self.orders.unacknowledged.extend(other.orders.unacknowledged);
    }

    /// Reads the line that a script prints at its end.
    pub(crate) fn parse(client: &str, line: &str) -> Option<Tally> {
        let value: Value = serde_json::from_str(line).ok()?;
        let count = |name: &str| value[name].as_u64();
        let failures = value["failures"].as_object()?.iter().map(|(name, count)| {
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name)?;
            Some((kind, count.as_u64()?))
        });
        let texts = value["examples"].as_array()?.iter().filter_map(Value::as_str);
        let orders = &value["orders"];
        let numbers = orders["unacknowledged"].as_array()?.iter().filter_map(Value::as_u64);
        Some(Tally {
            client: client.to_owned(),
            requests: count("requests")?,
            goodbyes: count("goodbyes")?,
            failures: failures.collect::<Option<_>>()?,
            examples: texts.take(EXAMPLES).map(str::to_owned).collect(),
            orders: Orders {
                symbol: orders["symbol"].as_str()?.to_owned(),
                sent: orders["sent"].as_u64()?,
                unacknowledged: numbers.collect(),
            },
        })
    }
}

/// One line of the table, and the examples below it.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut failures = String::new();
        for (kind, count) in &self.failures {
            let comma = if failures.is_empty() { " (" } else { ", " };
            write!(failures, "{comma}{count} {}", kind.name())?;
        }
        if !failures.is_empty() {
            failures.push(')');
        }
        write!(f, "{:<34} {:>9} {:>9}", self.client, self.requests, self.goodbyes)?;
        write!(f, " {:>9}{failures}", self.failed())?;
        self.examples.iter().try_for_each(|example| write!(f, "\n    {example}"))
    }
}
