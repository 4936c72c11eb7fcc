//! failsafe.

use std::{future::Future, iter, pin::Pin};

use failsafe::{
    Config, Error, FailurePolicy, Instrument, StateMachine,
    backoff::constant,
    failure_policy::{consecutive_failures, success_rate_over_time_window},
    futures::CircuitBreaker,
};

use crate::{
    breakers::{Breaker, Called, Contender, OnChange, Rules, Trouble, Work},
    verdict::Stop,
};

/// The crate.
pub struct Failsafe;

const ALL_GO: &str = "half-open, calls are let through until one of them has a result";

/// Where it means something else.
pub const BY_DESIGN: &[(&str, &str)] = &[
    ("probes at once are bounded", ALL_GO),
    ("probes at once are bounded, in a race", ALL_GO),
    (
        "the successes that were asked for close it",
        "half-open, the next result decides: a success closes it",
    ),
    (
        "an ignored result does not close",
        "an error that the predicate does not take for a failure is recorded as a success",
    ),
    ("flapping still waits longer", "closing gives the failure policy a fresh backoff"),
    ("a call that panics is a failure", "results are recorded, and a panic is none"),
];

/// Its instrument: what is called at a change.
struct Told(Option<OnChange>);

impl Told {
    fn tell(&self) {
        if let Some(tell) = &self.0 {
            tell();
        }
    }
}

impl Instrument for Told {
    fn on_call_rejected(&self) {}

    fn on_open(&self) {
        self.tell();
    }

    fn on_half_open(&self) {
        self.tell();
    }

    fn on_closed(&self) {
        self.tell();
    }
}

impl Contender for Failsafe {
    fn breaker(&self, rules: Rules) -> Result<Box<dyn Breaker>, Stop> {
        if rules.rate.is_some() {
            return Err(Stop::Cannot("a rate is one of a time, not of the last calls"));
        }
        if rules.slow.is_some() {
            return Err(Stop::Cannot("it knows nothing of slow calls"));
        }
        if rules.told {
            return Err(Stop::Cannot("a failure cannot say how long to stay open"));
        }
        let told = Told(rules.on_change);
        Ok(match (rules.consecutive, rules.rate_over, rules.longer) {
            (Some(failures), None, None) => {
                machine(consecutive_failures(failures, constant(rules.open)), told)
            }
            (Some(failures), None, Some(times)) => {
                // Its own begins at a second; any iterator will do.
                let backoff = iter::successors(Some(rules.open), move |wait| Some(*wait * times));
                machine(consecutive_failures(failures, backoff), told)
            }
            (None, Some(rate), None) => {
                let backoff = constant(rules.open);
                let (least, time) = (rate.least, rate.time);
                let successes = 1.0 - rate.failures;
                machine(success_rate_over_time_window(successes, least, time, backoff), told)
            }
            (Some(failures), Some(rate), None) => {
                let backoff = constant(rules.open);
                let successes = 1.0 - rate.failures;
                let over = success_rate_over_time_window(
                    successes,
                    rate.least,
                    rate.time,
                    backoff.clone(),
                );
                machine(over.or_else(consecutive_failures(failures, backoff)), told)
            }
            _ => return Err(Stop::Cannot("these rules do not go together")),
        })
    }
}

fn machine<P>(policy: P, told: Told) -> Box<dyn Breaker>
where
    P: FailurePolicy + Send + Sync + 'static,
{
    Box::new(Config::new().failure_policy(policy).instrument(told).build())
}

impl<P> Breaker for StateMachine<P, Told>
where
    P: FailurePolicy + Send + Sync + 'static,
{
    fn call(&self, work: Work) -> Pin<Box<dyn Future<Output = Called> + Send>> {
        let is_failure = |trouble: &Trouble| *trouble != Trouble::Ours;
        let call = self.call_with(is_failure, work);
        Box::pin(async move {
            match call.await {
                Ok(()) => Called::Succeeded,
                Err(Error::Inner(_)) => Called::Failed,
                Err(Error::Rejected) => Called::Rejected,
            }
        })
    }
}
