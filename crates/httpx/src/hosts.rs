//! What is remembered of each host: its retry budget, its breaker, how long its answers take, and until when it is left alone.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::Url;
use tokio::time::Instant;
use underpin_retry::Budget;
use url::Position;

use crate::{
    circuit::{Circuit, Circuits},
    hedge::{Hedge, Patience},
};

/// How many hosts are remembered.
pub(crate) const MOST: usize = 1000;

/// The longest pause. A host that asks for more may get a request every hour, or a mistake of its could never be found out.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

type MakeBudget = Box<dyn Fn() -> Budget + Send + Sync>;

/// All hosts of a client, in bounded memory. Looking one up takes a shared lock and allocates nothing.
pub(crate) struct Hosts {
    by_name: RwLock<HashMap<Box<str>, Arc<Host>>>,
    budget: MakeBudget,
    circuits: Circuits,
    hedge: Option<Hedge>,
    epoch: Instant,
    seen: AtomicU64,
}

pub(crate) struct Host {
    pub(crate) budget: Budget,
    pub(crate) circuit: Circuit,
    pub(crate) patience: Patience,
    /// In nanoseconds since `epoch`.
    paused_until: AtomicU64,
    epoch: Instant,
    /// How many hosts came before it.
    age: u64,
}

impl Hosts {
    pub(crate) fn new(budget: MakeBudget, circuits: Circuits, hedge: Option<Hedge>) -> Hosts {
        Hosts {
            by_name: RwLock::default(),
            budget,
            circuits,
            hedge,
            epoch: Instant::now(),
            seen: AtomicU64::new(0),
        }
    }

    /// The host of this URL; its port is part of its name, unless it is the scheme's own.
    pub(crate) fn of(&self, url: &Url) -> Arc<Host> {
        let name = name_of(url);
        if let Some(host) = self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return host.clone();
        }
        // Under no lock: it is the user's code.
        let host = Arc::new(Host {
            budget: (self.budget)(),
            circuit: self.circuits.of(name),
            patience: Patience::new(self.hedge),
            paused_until: AtomicU64::new(0),
            epoch: self.epoch,
            age: self.seen.fetch_add(1, Ordering::Relaxed),
        });
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = by_name.get(name) {
            return host.clone();
        }
        if by_name.len() >= MOST {
            let now = Instant::now();
            let unpaused = by_name.iter().filter(|(_, host)| host.paused(now).is_none());
            let Some(oldest) =
                unpaused.min_by_key(|(_, host)| host.age).map(|(name, _)| name.clone())
            else {
                return host;
            };
            by_name.remove(&oldest);
        }
        by_name.insert(name.into(), host.clone());
        host
    }

    /// Where their breakers come from.
    pub(crate) fn circuits(&self) -> &Circuits {
        &self.circuits
    }

    /// How many retries a new host may have at once.
    pub(crate) fn stock(&self) -> u64 {
        (self.budget)().balance()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}

pub(crate) fn name_of(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

impl Host {
    /// Leaves it alone from now on for so long. A pause only gets longer.
    pub(crate) fn pause(&self, now: Instant, time: Duration) {
        let until = now + time.min(LONGEST_PAUSE);
        self.paused_until.fetch_max(self.nanos(until), Ordering::Relaxed);
    }

    /// How long it is still to be left alone.
    pub(crate) fn paused(&self, now: Instant) -> Option<Duration> {
        let until = self.paused_until.load(Ordering::Relaxed);
        // Most hosts never ask for a pause: no arithmetic for them.
        let left = if until == 0 { 0 } else { until.saturating_sub(self.nanos(now)) };
        (left > 0).then(|| Duration::from_nanos(left))
    }

    fn nanos(&self, time: Instant) -> u64 {
        let since = time.saturating_duration_since(self.epoch);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("budget", &self.budget).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        Hosts::new(Box::new(|| Budget::ratio(0.2)), Circuits::default(), None)
    }

    fn url(number: usize) -> Url {
        Url::parse(&format!("http://host-{number}.example/path")).expect("a URL")
    }

    #[test]
    fn a_host_is_its_name_and_its_port() {
        let hosts = hosts();
        let of = |url: &str| hosts.of(&Url::parse(url).expect("a URL"));
        let one = of("https://me:secret@example.com/a?b#c");
        assert!(Arc::ptr_eq(&one, &of("https://example.com:443/other")));
        assert!(!Arc::ptr_eq(&one, &of("https://example.com:8443/a")));
        assert!(!Arc::ptr_eq(&one, &of("https://www.example.com/a")));
    }

    #[test]
    fn a_pause_only_gets_longer_and_ends() {
        let host = hosts().of(&url(0));
        let now = Instant::now();
        let secs = Duration::from_secs;
        assert_eq!(host.paused(now), None);
        host.pause(now, secs(10));
        host.pause(now, secs(3));
        assert_eq!(host.paused(now), Some(secs(10)));
        assert_eq!(host.paused(now + secs(4)), Some(secs(6)));
        assert_eq!(host.paused(now + secs(10)), None);
        host.pause(now, Duration::MAX);
        assert_eq!(host.paused(now), Some(LONGEST_PAUSE));
    }

    #[test]
    fn memory_is_bounded_and_a_paused_host_is_kept() {
        let hosts = hosts();
        let now = Instant::now();
        let paused = hosts.of(&url(0));
        paused.pause(now, LONGEST_PAUSE);
        let second = hosts.of(&url(1));
        for number in 2..2 * MOST {
            hosts.of(&url(number));
        }
        assert_eq!(hosts.len(), MOST);
        assert!(Arc::ptr_eq(&paused, &hosts.of(&url(0))));
        assert!(!Arc::ptr_eq(&second, &hosts.of(&url(1))));
    }

    #[test]
    fn when_all_are_paused_a_new_host_is_not_kept() {
        let hosts = hosts();
        let now = Instant::now();
        for number in 0..MOST {
            hosts.of(&url(number)).pause(now, LONGEST_PAUSE);
        }
        let new = hosts.of(&url(MOST));
        assert!(!Arc::ptr_eq(&new, &hosts.of(&url(MOST))));
        assert_eq!(hosts.len(), MOST);
    }
}
