//! What is allowed.

use std::time::Duration;

use crate::algorithm::{
    Fixed, Gcra, TwoWindows, Window,
    nanos::{LONGEST, Nanos, nanos},
};

/// What is allowed for each key: so many requests in so much time, and how that is counted.
///
/// | | what holds | memory a key | use it for |
/// |---|---|---|---|
/// | [`window`](Limit::window) | never more than the limit in any window | 8 bytes a request besides | limits up to some hundreds: the default |
/// | [`gcra`](Limit::gcra) | never more than `burst + rate * time` in any time | 16 bytes | high rates, evenly spread |
/// | [`two_windows`](Limit::two_windows) | never more than the limit in a window of the grid, never twice as many in any | 16 bytes | large limits for long times |
/// | [`fixed`](Limit::fixed) | never more than the limit in a window of the grid, up to twice as many in any | 16 bytes | quotas that begin anew at once |
///
/// Windows of a grid begin when the limiter is made. All times are at most 366 days, and a limiter counts for ten years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(pub(crate) Rule);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    Window(Window),
    Gcra(Gcra),
    Fixed(Fixed),
    TwoWindows(TwoWindows),
}

/// Fails for a rule of another algorithm.
macro_rules! of_rule {
    ($($algorithm:ident)*) => {$(
        impl TryFrom<Rule> for $algorithm {
            type Error = Rule;

            fn try_from(rule: Rule) -> Result<$algorithm, Rule> {
                if let Rule::$algorithm(algorithm) = rule { Ok(algorithm) } else { Err(rule) }
            }
        }
    )*};
}
of_rule!(Window Gcra Fixed TwoWindows);

impl Limit {
    /// The exact sliding window: so many requests in any stretch of this length.
    ///
    /// A request leaves the window exactly `time` after it. The time of each is kept, 8 bytes each, so that what a key takes is proportional to the limit.
    ///
    /// # Panics
    ///
    /// With 0 requests or more than a million, or a time of 0 or above 366 days.
    #[track_caller]
    #[must_use]
    pub fn window(requests: u32, time: Duration) -> Limit {
        let time = checked(requests, time);
        assert!(
            requests <= 1_000_000,
            "a window keeps the time of each of {requests} requests: use Limit::two_windows or Limit::gcra"
        );
        Limit(Rule::Window(Window::new(requests, time)))
    }

    /// So many requests per time, evenly spread: the generic cell rate algorithm, a leaky bucket without a timer.
    ///
    /// A [`burst`](Limit::burst) of as many requests is allowed, unless set. The rate is exact if the interval between two requests is a whole number of nanoseconds, or a
    /// fraction with a denominator up to 32 (300 a second is; 333 a second is not). Otherwise the interval is rounded up, by less than 1/32 ns.
    ///
    /// # Panics
    ///
    /// With 0 requests, or a time of 0 or above 366 days.
    #[track_caller]
    #[must_use]
    pub fn gcra(requests: u32, time: Duration) -> Limit {
        let time = checked(requests, time);
        Limit(Rule::Gcra(Gcra::new(requests, time)))
    }

    /// How many a [`gcra`](Limit::gcra) allows at once, after a time without any: as many as its requests, unless set.
    ///
    /// # Panics
    ///
    /// With 0, with a limit that is no `gcra`, or if the burst takes more than 366 days to come back.
    #[track_caller]
    #[must_use]
    pub fn burst(self, requests: u32) -> Limit {
        assert!(requests > 0, "a burst of 0 lets nothing through: give 1 or more");
        let Rule::Gcra(gcra) = self.0 else { panic!("only a rate has a burst: use Limit::gcra") };
        let gcra = gcra.with_burst(requests);
        let is_short = gcra.is_some_and(|gcra| gcra.time <= LONGEST);
        match gcra {
            Some(gcra) if is_short => Limit(Rule::Gcra(gcra)),
            _ => {
                panic!("a burst of {requests} takes more than 366 days to come back: lower it")
            }
        }
    }

    /// So many requests in each window of a grid. At the end of one window and the beginning of the next there may be twice as many.
    ///
    /// # Panics
    ///
    /// With 0 requests, with a time of 0 or above 366 days, or if the number of the window and the count do not fit into 64 bits for ten years: billions of requests in
    /// less than 74 ms.
    #[track_caller]
    #[must_use]
    pub fn fixed(requests: u32, time: Duration) -> Limit {
        let time = checked(requests, time);
        Limit(Rule::Fixed(fitting(Fixed::new(requests, time))))
    }

    /// A sliding window from two counters: the last window of the grid counts by the share of it that the sliding window still covers.
    ///
    /// That is as if the requests of the last window had been evenly spread. If they came at its end, more than the limit get through in a sliding window, but always fewer
    /// than twice as many; if they came at its beginning, fewer than the limit do. A window of the grid never has more than the limit.
    ///
    /// # Panics
    ///
    /// With 0 requests, with a time of 0 or above 366 days, or if the number of the window and both counts do not fit into 64 bits for ten years: up to 131,071 a second and
    /// 1,048,575 a minute do.
    #[track_caller]
    #[must_use]
    pub fn two_windows(requests: u32, time: Duration) -> Limit {
        let time = checked(requests, time);
        Limit(Rule::TwoWindows(fitting(TwoWindows::new(requests, time))))
    }

    /// How many are allowed at once: the requests of a window, the burst of a rate.
    #[must_use]
    pub fn requests(&self) -> u32 {
        match self.0 {
            Rule::Window(window) => window.most,
            Rule::Gcra(gcra) => gcra.burst,
            Rule::Fixed(fixed) => fixed.most,
            Rule::TwoWindows(windows) => windows.most,
        }
    }

    /// In how much time: the length of a window, or how long a burst takes to come back.
    #[must_use]
    pub fn time(&self) -> Duration {
        Duration::from_nanos(match self.0 {
            Rule::Window(window) => window.time,
            Rule::Gcra(gcra) => gcra.time,
            Rule::Fixed(fixed) => fixed.grid.time,
            Rule::TwoWindows(windows) => windows.grid.time,
        })
    }
}

#[track_caller]
fn checked(requests: u32, time: Duration) -> Nanos {
    assert!(requests > 0, "a limit of 0 requests lets nothing through: give 1 or more");
    assert!(!time.is_zero(), "a limit needs a time above 0");
    let time = nanos(time);
    assert!(time <= LONGEST, "a limit's time is at most 366 days: give a shorter one");
    time
}

#[track_caller]
fn fitting<A>(algorithm: Option<A>) -> A {
    algorithm.expect(
        "the counters of this limit do not fit into 64 bits for ten years: lower the limit, or use Limit::gcra",
    )
}
