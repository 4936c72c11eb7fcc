//! Circuit breakers, where the feature is on, and nothing where it is not.

use std::time::Duration;

use reqwest::StatusCode;

use crate::disposition::{Cause, Disposition};

/// How an attempt went, for a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Failure,
    FailureFor(Duration),
    Ignore,
}

impl Outcome {
    /// Decided by the status, unless the body has a say yet: then it is a success so far.
    pub(crate) fn of_status(status: StatusCode, disposition: Disposition) -> Outcome {
        match disposition {
            // Throttling is not an outage, and being unavailable is one.
            Disposition::Refused { after: Some(after) } if status.is_server_error() => {
                Outcome::FailureFor(after)
            }
            _ if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                Outcome::Failure
            }
            _ => Outcome::Success,
        }
    }

    pub(crate) fn of_cause(cause: Cause) -> Outcome {
        match cause {
            Cause::Certificate | Cause::Connect | Cause::Lost => Outcome::Failure,
            // Our mistake, or the goodbye of a server that is well.
            Cause::Invalid | Cause::Redirect | Cause::Unprocessed | Cause::Goodbye => {
                Outcome::Ignore
            }
        }
    }
}

#[cfg(feature = "breaker")]
pub(crate) use with::{Circuit, Circuits, Permit};
#[cfg(not(feature = "breaker"))]
pub(crate) use without::{Circuit, Circuits, Permit};

#[cfg(feature = "breaker")]
mod with {
    use std::{fmt, sync::Arc};

    use underpin_breaker::{Breaker, Breakers, OwnedPermit, Rejected, State};

    use super::Outcome;

    /// Where the breaker of a host comes from.
    #[derive(Debug, Default)]
    pub(crate) enum Circuits {
        #[default]
        None,
        One(Breaker),
        EachHost(Arc<Breakers<String>>),
    }

    /// The breaker of one host.
    #[derive(Debug)]
    pub(crate) struct Circuit(Option<Breaker>);

    /// Permission for one attempt. Dropped without a record, it is neutral.
    #[derive(Debug)]
    pub(crate) struct Permit(Option<OwnedPermit>);

    impl Circuits {
        pub(crate) fn of(&self, host: &str) -> Circuit {
            Circuit(match self {
                Circuits::None => None,
                Circuits::One(breaker) => Some(breaker.clone()),
                Circuits::EachHost(breakers) => Some(breakers.get(&host.to_owned())),
            })
        }
    }

    impl Circuit {
        pub(crate) fn acquire(&self) -> Result<Permit, Rejected> {
            self.0.as_ref().map(Breaker::try_acquire_owned).transpose().map(Permit)
        }

        /// Whether it would reject a call now. Takes no permit, so that no probe is held by somebody who waits.
        pub(crate) fn is_open(&self) -> bool {
            let Some(breaker) = &self.0 else { return false };
            let seen = breaker.snapshot();
            match seen.state {
                State::Open => seen.retry_in.is_some_and(|time| !time.is_zero()),
                State::Isolated => true,
                _ => false,
            }
        }

        /// Permission for a call that nobody would miss: there is none for it while the breaker is careful.
        pub(crate) fn acquire_closed(&self) -> Option<Permit> {
            let Some(breaker) = &self.0 else { return Some(Permit(None)) };
            let is_closed = matches!(breaker.state(), State::Closed | State::Disabled);
            let permit = if is_closed { breaker.try_acquire_owned().ok() } else { None };
            permit.map(|permit| Permit(Some(permit)))
        }
    }

    impl Permit {
        pub(crate) fn record(&mut self, outcome: Outcome) {
            let Some(permit) = self.0.take() else { return };
            permit.record(match outcome {
                Outcome::Success => underpin_breaker::Outcome::Success,
                Outcome::Failure => underpin_breaker::Outcome::Failure,
                Outcome::FailureFor(time) => underpin_breaker::Outcome::FailureFor(time),
                Outcome::Ignore => underpin_breaker::Outcome::Ignore,
            });
        }
    }

    impl fmt::Display for Circuits {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Circuits::None => f.write_str("none"),
                Circuits::One(breaker) => write!(f, "'{}', for all hosts", breaker.name()),
                Circuits::EachHost(_) => f.write_str("one for each host"),
            }
        }
    }
}

#[cfg(not(feature = "breaker"))]
mod without {
    use std::{convert::Infallible, fmt};

    use super::Outcome;

    #[derive(Debug, Default)]
    pub(crate) enum Circuits {
        #[default]
        None,
    }

    #[derive(Debug)]
    pub(crate) struct Circuit;

    #[derive(Debug)]
    pub(crate) struct Permit;

    #[expect(clippy::unused_self, reason = "as with the feature")]
    impl Circuits {
        pub(crate) fn of(&self, _: &str) -> Circuit {
            Circuit
        }
    }

    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with the feature")]
    impl Circuit {
        pub(crate) fn acquire(&self) -> Result<Permit, Infallible> {
            Ok(Permit)
        }

        pub(crate) fn is_open(&self) -> bool {
            false
        }

        pub(crate) fn acquire_closed(&self) -> Option<Permit> {
            Some(Permit)
        }
    }

    #[expect(clippy::unused_self, reason = "as with the feature")]
    impl Permit {
        pub(crate) fn record(&mut self, _: Outcome) {}
    }

    impl fmt::Display for Circuits {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("none")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_errors_and_throttling_are_no_failures_of_the_server() {
        let after = Some(Duration::from_secs(3));
        let table = [
            (200, Disposition::Success, Outcome::Success),
            (404, Disposition::Final, Outcome::Success),
            (408, Disposition::Unknown, Outcome::Failure),
            (409, Disposition::Unknown, Outcome::Success),
            (429, Disposition::Refused { after }, Outcome::Success),
            (500, Disposition::Unknown, Outcome::Failure),
            (501, Disposition::Final, Outcome::Failure),
            (503, Disposition::Refused { after }, Outcome::FailureFor(Duration::from_secs(3))),
            (503, Disposition::Unknown, Outcome::Failure),
        ];
        for (status, disposition, expected) in table {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(Outcome::of_status(status, disposition), expected, "{status}");
        }
    }

    #[test]
    fn our_mistakes_and_goodbyes_are_not_counted() {
        for cause in [Cause::Invalid, Cause::Redirect, Cause::Unprocessed, Cause::Goodbye] {
            assert_eq!(Outcome::of_cause(cause), Outcome::Ignore);
        }
        for cause in [Cause::Certificate, Cause::Connect, Cause::Lost] {
            assert_eq!(Outcome::of_cause(cause), Outcome::Failure);
        }
    }
}
