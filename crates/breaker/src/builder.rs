//! A breaker's settings.

use std::{borrow::Cow, fmt, time::Duration};

use crate::{
    breaker::Breaker,
    change::{Change, OnChange},
    rules::{Rate, RateOver, Rules},
    words::LONGEST_WINDOW,
};

const NO_RATE: &str = "only a rate looks back on calls: use Trip::rate";

/// What opens a breaker. Several rules are joined by "or".
#[derive(Debug, Clone, Copy)]
pub struct Trip(Rule);

#[derive(Debug, Clone, Copy)]
enum Rule {
    Consecutive(u32),
    Rate(Rate),
    RateOver(RateOver),
}

impl Trip {
    /// So many failures in a row.
    ///
    /// # Panics
    ///
    /// With 0.
    #[track_caller]
    #[must_use]
    pub fn consecutive(failures: u32) -> Trip {
        assert!(failures > 0, "a breaker cannot open after 0 failures");
        Trip(Rule::Consecutive(failures))
    }

    /// At least this share of failures, 0.5 is half, among the last 20 calls, of which there have to be at least 10. See [`last`](Trip::last), or
    /// [`over`](Trip::over) for the calls of a time, and [`min_calls`](Trip::min_calls).
    ///
    /// # Panics
    ///
    /// When the share is not above 0 and at most 1.
    #[track_caller]
    #[must_use]
    pub fn rate(failures: f64) -> Trip {
        assert!(
            failures > 0.0 && failures <= 1.0,
            "a failure rate of {failures} is not above 0 and at most 1"
        );
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is in range, and rounding is meant"
        )]
        let failures = (failures * 1e6).round().max(1.0) as u32;
        Trip(Rule::Rate(Rate { failures, last: 20, least: 10 }))
    }

    /// How many calls a [`rate`](Trip::rate) looks back on: 1 to 32, 20 unless set.
    ///
    /// # Panics
    ///
    /// Out of that range, or with a rule that is no rate.
    #[track_caller]
    #[must_use]
    pub fn last(self, calls: u32) -> Trip {
        assert!(
            (1..=LONGEST_WINDOW).contains(&calls),
            "{calls} calls are not from 1 to {LONGEST_WINDOW}"
        );
        let (failures, least) = self.share();
        Trip(Rule::Rate(Rate { failures, last: calls, least: least.min(calls) }))
    }

    /// The time that a [`rate`](Trip::rate) looks back on, instead of a number of calls: 100 ms to an hour.
    ///
    /// A call counts when it ends. Tenths of the time, in whole milliseconds and rounded up, are forgotten one by one, each as a whole, so that it looks back on nine of them and what
    /// has passed of the tenth. Up to 67 million successes, and as many failures, are counted in each.
    ///
    /// A rate among the last calls writes nothing while all goes well; this one has to know how many calls went well, and when. So every call
    /// reads the clock and adds to a word that all callers share.
    ///
    /// # Panics
    ///
    /// Out of that range, or with a rule that is no rate.
    #[track_caller]
    #[must_use]
    pub fn over(self, time: Duration) -> Trip {
        assert!(
            (Duration::from_millis(100)..=Duration::from_secs(3600)).contains(&time),
            "{time:?} is not from 100 ms to an hour"
        );
        let (failures, least) = self.share();
        Trip(Rule::RateOver(RateOver { failures, time, least }))
    }

    /// How many calls there have to be before a [`rate`](Trip::rate) counts: 10 unless set, or all that it looks back on, if those are fewer.
    ///
    /// # Panics
    ///
    /// With more than it looks back on, or with a rule that is no rate.
    #[track_caller]
    #[must_use]
    pub fn min_calls(self, calls: u32) -> Trip {
        let least = calls.max(1);
        match self.0 {
            Rule::Rate(Rate { last, .. }) if calls > last => {
                panic!("{calls} calls are never among the last {last}")
            }
            Rule::Rate(rate) => Trip(Rule::Rate(Rate { least, ..rate })),
            Rule::RateOver(rate) => Trip(Rule::RateOver(RateOver { least, ..rate })),
            Rule::Consecutive(_) => panic!("{NO_RATE}"),
        }
    }

    /// The share of failures, and how many calls there have to be.
    #[track_caller]
    fn share(self) -> (u32, u32) {
        match self.0 {
            Rule::Rate(Rate { failures, least, .. })
            | Rule::RateOver(RateOver { failures, least, .. }) => (failures, least),
            Rule::Consecutive(_) => panic!("{NO_RATE}"),
        }
    }
}

/// Settings of a breaker: [`Breaker::builder`].
#[must_use = "nothing is made before `build`"]
pub struct Builder {
    name: Cow<'static, str>,
    rules: Rules,
    has_rules: bool,
    probe_timeout: Option<Duration>,
    slow: Option<Duration>,
    on_change: Option<OnChange>,
}

impl Builder {
    pub(crate) fn new(name: Cow<'static, str>) -> Builder {
        let open = Duration::from_secs(30);
        let rules = Rules {
            consecutive: Some(5),
            rate: None,
            rate_over: None,
            open: Box::new(move |_| open),
            longest: Duration::from_secs(300),
            successes: 3,
            concurrent: 1,
            probe_timeout: open,
        };
        Builder { name, rules, has_rules: false, probe_timeout: None, slow: None, on_change: None }
    }

    /// A rule that opens it. The first one replaces the usual rule, 5 failures in a row; further ones are added, one of each kind: in a row, among the last calls, over a time.
    pub fn trip(mut self, trip: Trip) -> Builder {
        if !self.has_rules {
            (self.rules.consecutive, self.has_rules) = (None, true);
        }
        match trip.0 {
            Rule::Consecutive(failures) => self.rules.consecutive = Some(failures.into()),
            Rule::Rate(rate) => self.rules.rate = Some(rate),
            Rule::RateOver(rate) => self.rules.rate_over = Some(rate),
        }
        self
    }

    /// Calls that take this long count as failures, whatever their result, also when the caller gives them up. Not set: time does not matter, and no clock is read.
    pub fn slow(mut self, after: Duration) -> Builder {
        self.slow = Some(after);
        self
    }

    /// How long it stays open before a call is let through to see: 30 s unless set. At least a millisecond.
    pub fn open(self, time: Duration) -> Builder {
        self.open_with(move |_| time)
    }

    /// The same, for the nth time that it opens in a row, counted from 0: a backoff. It is in a row unless it was closed for as long as it
    /// was open before, so the function should give the same time for the same `n`.
    ///
    /// Replicas that share a dependency should not probe it at the same instant, so each wants a jitter of its own:
    ///
    /// ```
    /// use std::{hash::{BuildHasher as _, RandomState}, time::Duration};
    /// use underpin_breaker::Breaker;
    ///
    /// // Doubles from 1 s to a minute; and up to a fifth more, by a chance that is another in each process.
    /// let chance = RandomState::new();
    /// let payments = Breaker::builder("payments")
    ///     .open_with(move |nth| {
    ///         let open = Duration::from_secs(60.min(1 << nth.min(6)));
    ///         open + open.mul_f64(0.2 * (chance.hash_one(nth) % 1000) as f64 / 1000.0)
    ///     })
    ///     .build();
    /// ```
    ///
    /// With `underpin-retry`, its delays are such a function: `move |nth| retry.delays(seed).nth(nth as usize).unwrap_or(longest)`.
    pub fn open_with(mut self, time: impl Fn(u32) -> Duration + Send + Sync + 'static) -> Builder {
        self.rules.open = Box::new(time);
        self
    }

    /// The longest that an [`Outcome::FailureFor`](crate::Outcome::FailureFor) can keep it open: 5 minutes unless set.
    pub fn open_at_most(mut self, time: Duration) -> Builder {
        self.rules.longest = time;
        self
    }

    /// How many calls have to succeed, half-open, to close it: 3 unless set. One failure opens it again.
    ///
    /// # Panics
    ///
    /// With 0, or more than 100,000.
    #[track_caller]
    pub fn successes(mut self, calls: u32) -> Builder {
        assert!((1..=100_000).contains(&calls), "{calls} successes are not from 1 to 100,000");
        self.rules.successes = calls.into();
        self
    }

    /// How many calls may be made at once, half-open: 1 unless set.
    ///
    /// # Panics
    ///
    /// With 0, or more than 100,000.
    #[track_caller]
    pub fn concurrent_probes(mut self, calls: u32) -> Builder {
        assert!((1..=100_000).contains(&calls), "{calls} probes are not from 1 to 100,000");
        self.rules.concurrent = calls.into();
        self
    }

    /// How long a call may take, half-open, before others may be made in its place, and its result has no say: what
    /// [`open`](Builder::open) is at first, unless set. So a call that never ends keeps no breaker from closing.
    pub fn probe_timeout(mut self, time: Duration) -> Builder {
        self.probe_timeout = Some(time);
        self
    }

    /// Is told of every change, on the thread of the call that made it, under no lock.
    pub fn on_change(mut self, tell: impl Fn(&Change) + Send + Sync + 'static) -> Builder {
        self.on_change = Some(Box::new(tell));
        self
    }

    /// Makes it.
    #[must_use]
    pub fn build(mut self) -> Breaker {
        self.rules.probe_timeout = self.probe_timeout.unwrap_or_else(|| (self.rules.open)(0));
        Breaker::with(self.name, self.rules, self.slow, self.on_change)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("name", &self.name).finish_non_exhaustive()
    }
}
