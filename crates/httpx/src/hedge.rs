//! When a request is sent once more beside itself: what was set for it, and what is learned of each host.

use std::{
    array, fmt,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
    time::Duration,
};

/// When a request that takes long is sent once more beside itself, and the better of the two answers is taken:
/// [`Builder::hedge`](crate::Builder::hedge).
///
/// It is for a few slow answers among many fast ones. When all are slow, it would only double the load, so a hedge comes out of the
/// retry budget of the host and has to leave half of its stock to retries.
///
/// ```
/// use underpin_httpx::{Client, Hedge};
///
/// # fn main() -> underpin_httpx::Result<()> {
/// let http = Client::builder().hedge(Hedge::p95()).build()?;
/// # drop(http); Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hedge(After);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    P95,
    Time(Duration),
}

impl Hedge {
    /// After the 95th percentile of the host: the time in which 19 of 20 of its last 200 answers had their headers, but at least 1 ms.
    ///
    /// It is learned from the attempts of requests that may be hedged, when they succeed, and found anew after every 20 of them. Until the
    /// first 20, nothing is hedged. All paths of a host are learned together.
    ///
    /// Where more than one answer of 20 has always been slow, slow is usual, and is waited for; [`after`](Hedge::after) is for that.
    #[must_use]
    pub fn p95() -> Hedge {
        Hedge(After::P95)
    }

    /// After this time, whatever the host.
    #[must_use]
    pub fn after(time: Duration) -> Hedge {
        Hedge(After::Time(time))
    }
}

/// What it does, in a line: for logs.
impl fmt::Display for Hedge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            After::P95 => write!(f, "after the 95th percentile of the host, {FLOOR:?} at least"),
            After::Time(time) => write!(f, "after {time:?}"),
        }
    }
}

/// How many answers are remembered.
const KEPT: usize = 200;

/// The percentile is found anew after so many answers.
const EVERY: usize = 20;

/// tokio's timer has no finer steps.
const FLOOR: Duration = Duration::from_millis(1);

/// How long a host is waited for before a hedge is sent.
pub(crate) enum Patience {
    Endless,
    For(Duration),
    Learned(Box<Latencies>),
}

impl Patience {
    pub(crate) fn new(hedge: Option<Hedge>) -> Patience {
        match hedge {
            None => Patience::Endless,
            Some(Hedge(After::Time(time))) => Patience::For(time),
            Some(Hedge(After::P95)) => Patience::Learned(Box::default()),
        }
    }

    /// `None` where nothing is hedged, or not yet.
    pub(crate) fn time(&self) -> Option<Duration> {
        match self {
            Patience::Endless => None,
            Patience::For(time) => Some(*time),
            Patience::Learned(latencies) => latencies.p95(),
        }
    }

    /// Where it is learned.
    pub(crate) fn latencies(&self) -> Option<&Latencies> {
        match self {
            Patience::Learned(latencies) => Some(latencies),
            _ => None,
        }
    }
}

/// How long the last answers took, in microseconds. Adding one takes no lock and allocates nothing; when two are added at once, one of them
/// may be counted a little later.
pub(crate) struct Latencies {
    last: [AtomicU32; KEPT],
    count: AtomicUsize,
    /// 0 as long as it is not known.
    p95: AtomicU32,
}

impl Default for Latencies {
    fn default() -> Latencies {
        let last = array::from_fn(|_| AtomicU32::new(0));
        Latencies { last, count: AtomicUsize::new(0), p95: AtomicU32::new(0) }
    }
}

impl Latencies {
    pub(crate) fn add(&self, time: Duration) {
        let nth = self.count.fetch_add(1, Ordering::Relaxed);
        self.last[nth % KEPT].store(micros(time), Ordering::Relaxed);
        let count = nth.wrapping_add(1);
        if count.is_multiple_of(EVERY) {
            self.find(count.min(KEPT));
        }
    }

    fn p95(&self) -> Option<Duration> {
        let micros = self.p95.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros.into()))
    }

    /// Among the first so many of the ring, which is all that there is.
    #[cold]
    fn find(&self, known: usize) {
        let mut last: [u32; KEPT] = array::from_fn(|nth| self.last[nth].load(Ordering::Relaxed));
        let (_, p95, _) = last[..known].select_nth_unstable(known * 19 / 20 - 1);
        self.p95.store(micros(FLOOR).max(*p95), Ordering::Relaxed);
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn nothing_is_known_before_20_answers() {
        let latencies = Latencies::default();
        for nth in 1..=20 {
            assert_eq!(latencies.p95(), None);
            latencies.add(millis(nth));
        }
        assert_eq!(latencies.p95(), Some(millis(19)));
    }

    #[test]
    fn it_is_exactly_that_of_the_last_200_answers() {
        let latencies = Latencies::default();
        let mut all: Vec<Duration> = Vec::new();
        for nth in 1..=2_000_usize {
            // Without an order, and slower and slower.
            all.push(millis((nth * 7919 % 1000 + nth) as u64));
            latencies.add(all[nth - 1]);
            if nth.is_multiple_of(20) {
                let mut last = all[nth.saturating_sub(200)..].to_vec();
                last.sort();
                let above = last.len() / 20;
                assert_eq!(latencies.p95(), Some(last[last.len() - above - 1]), "{nth}");
            }
        }
    }

    #[test]
    fn it_is_a_millisecond_at_least_and_an_hour_is_no_overflow() {
        let latencies = Latencies::default();
        (0..20).for_each(|_| latencies.add(Duration::from_micros(3)));
        assert_eq!(latencies.p95(), Some(millis(1)));
        (0..200).for_each(|_| latencies.add(Duration::MAX));
        assert!(latencies.p95().is_some_and(|time| time > millis(3_600_000)));
    }
}
