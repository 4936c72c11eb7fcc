//! underpin-breaker.

use std::{future::Future, pin::Pin, time::Duration};

use tower::{Layer, ServiceExt, util::BoxCloneService};
use underpin_breaker::{
    Breaker as Inner, BreakerLayer, Breakers, Error, Outcome, State as Inside, Trip,
};

use crate::{
    breakers::{
        Breaker, Called, Contender, Keyed, Layered, Rules, State, Trouble, Work, probed::Probed,
    },
    verdict::Stop,
};

/// The crate.
pub struct Ours;

/// Where it means something else.
pub const BY_DESIGN: &[(&str, &str)] = &[(
    "a look at the state sees the time is up",
    "an open breaker stays open until somebody calls; `snapshot` says how long it is still open",
)];

impl Contender for Ours {
    fn breaker(&self, rules: Rules) -> Result<Box<dyn Breaker>, Stop> {
        let mut builder = Inner::builder("conformance");
        if let Some(failures) = rules.consecutive {
            builder = builder.trip(Trip::consecutive(failures));
        }
        if let Some(rate) = rules.rate {
            if rate.last > 32 {
                return Err(Stop::Cannot("a rate looks back on 32 calls at most"));
            }
            builder = builder.trip(Trip::rate(rate.failures).last(rate.last).min_calls(rate.least));
        }
        if let Some(rate) = rules.rate_over {
            builder = builder.trip(Trip::rate(rate.failures).over(rate.time).min_calls(rate.least));
        }
        builder = match rules.longer {
            None => builder.open(rules.open),
            Some(times) => builder.open_with(move |nth| rules.open * times.pow(nth)),
        };
        // Otherwise as long as the open time, which is short here.
        let probe_timeout = rules.probe_timeout.unwrap_or(Duration::from_secs(60));
        builder = builder
            .successes(rules.probes)
            .concurrent_probes(rules.probes)
            .probe_timeout(probe_timeout);
        if let Some(slow) = rules.slow {
            builder = builder.slow(slow);
        }
        if let Some(tell) = rules.on_change {
            builder = builder.on_change(move |_| tell());
        }
        Ok(Box::new(builder.build()))
    }

    fn keyed(&self, capacity: usize) -> Result<Keyed, Stop> {
        let make = |_: &u32| Inner::builder("keyed").trip(Trip::consecutive(1)).build();
        let breakers = Breakers::new(capacity, make);
        Ok(Box::new(move |key| Box::new(breakers.get(&key))))
    }
}

fn outcome<T>(result: Result<&T, &Trouble>) -> Outcome {
    match result {
        Ok(_) => Outcome::Success,
        Err(Trouble::Theirs) => Outcome::Failure,
        Err(Trouble::Ours) => Outcome::Ignore,
        Err(Trouble::TheirsFor(time)) => Outcome::FailureFor(*time),
    }
}

impl Breaker for Inner {
    fn call(&self, work: Work) -> Pin<Box<dyn Future<Output = Called> + Send>> {
        let breaker = self.clone();
        Box::pin(async move {
            match breaker.call(work).classify(outcome).await {
                Ok(()) => Called::Succeeded,
                Err(error) => called(&error),
            }
        })
    }

    fn layered(&self, inner: Probed) -> Result<Layered, Stop> {
        let layer = BreakerLayer::new(self.clone(), outcome::<()>);
        let service = layer.layer(inner).map_err(|error: Error<Trouble>| called(&error));
        Ok(BoxCloneService::new(service))
    }

    fn state(&self) -> Result<State, Stop> {
        Ok(match self.state() {
            Inside::Closed | Inside::Disabled => State::Closed,
            Inside::HalfOpen => State::HalfOpen,
            _ => State::Open,
        })
    }

    fn open_by_hand(&self) -> Result<Box<dyn Send>, Stop> {
        Ok(Box::new(self.isolate()))
    }

    fn retry_in(&self) -> Result<Duration, Stop> {
        match self.try_acquire() {
            Err(rejected) => Ok(rejected.retry_in.unwrap_or_default()),
            Ok(_) => Err(Stop::Observed("it let a call through".to_owned())),
        }
    }
}

fn called(error: &Error<Trouble>) -> Called {
    if error.is_rejected() { Called::Rejected } else { Called::Failed }
}
