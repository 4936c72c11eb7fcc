//! recloser.

use std::{future::Future, pin::Pin};

use recloser::{AsyncRecloser, Error, Recloser};

use crate::{
    breakers::{Breaker, Called, Contender, Rules, Trouble, Work},
    verdict::Stop,
};

/// The crate.
pub struct Reclosers;

const ALL_GO: &str = "half-open, calls are let through until enough results are in for a rate";
const ONE_MORE: &str = "a rate is computed from the call after the buffer is full on";

/// Where it means something else.
pub const BY_DESIGN: &[(&str, &str)] = &[
    ("probes at once are bounded", ALL_GO),
    ("probes at once are bounded, in a race", ALL_GO),
    ("it opens at the failure it was told", ONE_MORE),
    ("the successes that were asked for close it", ONE_MORE),
    (
        "an ignored result does not close",
        "an error that the predicate does not take for an error is recorded as a success",
    ),
    ("a success never opens", "the rate is compared whenever a call is recorded"),
    (
        "flapping still waits longer",
        "the wait strategy counts failures to recover; closing begins anew",
    ),
    ("a call that panics is a failure", "results are recorded, and a panic is none"),
];

impl Contender for Reclosers {
    fn breaker(&self, rules: Rules) -> Result<Box<dyn Breaker>, Stop> {
        if rules.rate_over.is_some() {
            return Err(Stop::Cannot("the buffer is one of calls, not of time"));
        }
        if rules.slow.is_some() {
            return Err(Stop::Cannot("it knows nothing of slow calls"));
        }
        if rules.told {
            return Err(Stop::Cannot("a failure cannot say how long to stay open"));
        }
        if rules.on_change.is_some() {
            return Err(Stop::Cannot("changes are tracing events, not callbacks"));
        }
        let mut builder = Recloser::custom()
            .open_wait(rules.open)
            .half_open_len(rules.probes as usize)
            .error_rate_half_open(0.5);
        builder = match (rules.consecutive, rules.rate) {
            // A full buffer of failures.
            (Some(failures), None) => builder.closed_len(failures as usize).error_rate_closed(1.0),
            (None, Some(rate)) if rate.least == rate.last => {
                builder.closed_len(rate.last as usize).error_rate_closed(rate.failures as f32)
            }
            (None, Some(_)) => return Err(Stop::Cannot("the buffer has to be full for a rate")),
            _ => return Err(Stop::Cannot("there is one rule, a rate")),
        };
        if let Some(times) = rules.longer {
            builder = builder.open_wait_strategy(move |failed, wait| wait * times.pow(failed));
        }
        Ok(Box::new(AsyncRecloser::from(builder.build())))
    }
}

impl Breaker for AsyncRecloser {
    fn call(&self, work: Work) -> Pin<Box<dyn Future<Output = Called> + Send>> {
        let call = self.call_with(|trouble: &Trouble| *trouble != Trouble::Ours, work);
        Box::pin(async move {
            match call.await {
                Ok(()) => Called::Succeeded,
                Err(Error::Inner(_)) => Called::Failed,
                Err(Error::Rejected) => Called::Rejected,
            }
        })
    }
}
