//! breaker 2.

use std::{future::Future, pin::Pin, time::Duration};

use breaker::{
    BackoffStrategy, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerError, State as Inside,
    tower::BreakerLayer,
};
use tower::{Layer, ServiceExt, util::BoxCloneService};

use crate::{
    breakers::{Breaker, Called, Contender, Layered, Rules, State, Trouble, Work, probed::Probed},
    verdict::Stop,
};

/// The crate.
pub struct Breaker2;

/// Where it means something else.
pub const BY_DESIGN: &[(&str, &str)] = &[
    (
        "opened by hand, it stays open",
        "`trip` is a trip like any other: it waits the open time and then probes",
    ),
    (
        "flapping still waits longer",
        "closing sets the count of trips back, so that the next outage begins with the first wait",
    ),
    ("a call that panics is a failure", "results are counted, and a panic is none"),
];

impl Contender for Breaker2 {
    fn breaker(&self, rules: Rules) -> Result<Box<dyn Breaker>, Stop> {
        if rules.rate_over.is_some() {
            return Err(Stop::Cannot("the window is one of calls, not of time"));
        }
        if rules.told {
            return Err(Stop::Cannot("a failure cannot say how long to stay open"));
        }
        let backoff = match rules.longer {
            None => BackoffStrategy::Fixed(rules.open),
            Some(times) => BackoffStrategy::Exponential {
                initial: rules.open,
                max: Duration::from_secs(60),
                factor: f64::from(times),
            },
        };
        let mut builder = CircuitBreakerConfig::builder()
            .consecutive_failures(rules.consecutive.unwrap_or(u32::MAX))
            .failure_rate_threshold(rules.rate.map_or(0.0, |rate| rate.failures as f32))
            .half_open_max_calls(rules.probes)
            .success_threshold(rules.probes)
            .backoff(backoff)
            .failure_predicate(|trouble: &Trouble| *trouble != Trouble::Ours);
        if let Some(rate) = rules.rate {
            builder = builder.sliding_window_size(rate.last).minimum_calls(rate.least);
        }
        // Its way to say that a call takes too long is to end it.
        builder = builder.call_timeout(rules.slow.or(rules.probe_timeout));
        let mut breaker = CircuitBreaker::builder(builder.build());
        if let Some(tell) = rules.on_change {
            breaker = breaker.on_state_change(move |_, _| tell());
        }
        Ok(Box::new(breaker.build()))
    }
}

impl Breaker for CircuitBreaker {
    fn call(&self, work: Work) -> Pin<Box<dyn Future<Output = Called> + Send>> {
        let breaker = self.clone();
        Box::pin(async move {
            match breaker.call(move || work).await {
                Ok(()) => Called::Succeeded,
                Err(error) => called(error),
            }
        })
    }

    fn layered(&self, inner: Probed) -> Result<Layered, Stop> {
        Ok(BoxCloneService::new(BreakerLayer::new(self.clone()).layer(inner).map_err(called)))
    }

    fn state(&self) -> Result<State, Stop> {
        Ok(match self.state() {
            Inside::Closed => State::Closed,
            Inside::Open => State::Open,
            Inside::HalfOpen => State::HalfOpen,
        })
    }

    fn open_by_hand(&self) -> Result<Box<dyn Send>, Stop> {
        self.trip();
        Ok(Box::new(()))
    }
}

fn called(error: CircuitBreakerError<Trouble>) -> Called {
    match error {
        CircuitBreakerError::CircuitOpen | CircuitBreakerError::Rejected => Called::Rejected,
        CircuitBreakerError::Failure(_) => Called::Failed,
        CircuitBreakerError::Timeout => Called::TimedOut,
    }
}
