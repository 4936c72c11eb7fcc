//! How many requests a user may make.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};
use underpin_config::{Form, Invalid, Rules, Value};
use underpin_ratelimit::{Limit, Limiter, WhenFull};

/// More is no limit for one user. It is also what two counters have room for.
const MOST: u32 = 100_000;
/// What clients are told, they are told in whole seconds.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// Up to here the time of each request is kept, 8 bytes of it. Above, two counters have to do.
const EXACT: u32 = 1_000;
/// Users that are counted at the same time.
const USERS: usize = 100_000;

/// `100/10s`: so many requests in any window of that length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) requests: u32,
    pub(crate) window: Duration,
}

impl Rate {
    pub(crate) fn limit(self) -> Limit {
        let Rate { requests, window } = self;
        match requests {
            ..=EXACT => Limit::window(requests, window),
            _ => Limit::two_windows(requests, window),
        }
    }

    /// Whether a limiter of the other one can take this limit.
    pub(crate) fn counts_like(self, other: Rate) -> bool {
        (self.requests <= EXACT) == (other.requests <= EXACT)
    }

    /// What counts for each user.
    pub(crate) fn limiter(self) -> Limiter {
        // Who makes up users by the thousand gets more than one user's share, and keeps nobody else out.
        Limiter::builder(self.limit())
            .name("per-user")
            .keys(USERS)
            .when_full(WhenFull::ForgetLeast)
            .build()
    }
}

const FORM: &str = "a number of requests in a time, such as 100/10s: 1 to 100000, in 1s to 24h";

impl Value for Rate {
    const FORM: Form = Form::text(FORM);

    fn parse(text: &str, _: &Rules) -> Result<Self, Invalid> {
        let (requests, window) =
            text.split_once('/').ok_or(Invalid::new("has no / between the number and the time"))?;
        let requests = u32::parse(requests, &Rules::NONE)?;
        let window = Duration::parse(window, &Rules::NONE)?;
        if requests == 0 || window.is_zero() {
            return Err(Invalid::new("would let no request pass"));
        }
        if requests > MOST || !(SHORTEST..=LONGEST).contains(&window) {
            return Err(Invalid::new("is out of range"));
        }
        Ok(Rate { requests, window })
    }
}

/// As it is in the environment.
impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        let text = String::deserialize(deserializer)?;
        Rate::parse(&text, &Rules::NONE)
            .map_err(|_| D::Error::custom(format_args!("{text:?} is not {FORM}")))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:?}", self.requests, self.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rate_that_is_taken_has_a_limiter_that_holds_it() {
        for requests in [1, EXACT, EXACT + 1, MOST] {
            for window in [SHORTEST, LONGEST] {
                let limiter = Rate { requests, window }.limiter();
                let granted = (0..=requests).filter(|_| limiter.check("ann").is_ok()).count();
                // A new window of two counters may begin meanwhile.
                assert!(granted >= requests as usize, "{requests} in {window:?}: {granted}");
                assert!(granted == requests as usize || requests > EXACT, "{requests}: {granted}");
                assert!(limiter.check("bob").is_ok());
            }
        }
    }
}
