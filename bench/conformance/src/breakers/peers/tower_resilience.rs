//! tower-resilience-circuitbreaker.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use tower::{Layer, Service, ServiceExt, util::BoxCloneService};
use tower_resilience_circuitbreaker::{
    CircuitBreakerError, CircuitBreakerHandle, CircuitBreakerLayer, CircuitState, FnClassifier,
    SlidingWindowType,
};

use crate::{
    breakers::{Breaker, Called, Contender, Layered, Rules, State, Trouble, Work, probed::Probed},
    verdict::Stop,
};

/// The crate.
pub struct TowerResilience;

/// Where it means something else.
pub const BY_DESIGN: &[(&str, &str)] = &[
    (
        "an ignored result does not close",
        "a classifier says of every result whether it is a failure; what is none counts as a success",
    ),
    (
        "a success never opens",
        "the rate is compared whenever a call is recorded, once the window is full",
    ),
    ("a look at the state sees the time is up", "the state changes when a call is admitted"),
    ("a call that panics is a failure", "results are classified, and a panic is none"),
];

type Classify = fn(&Result<(), Trouble>) -> bool;
type TheirLayer = CircuitBreakerLayer<FnClassifier<Classify>>;

struct Layers {
    layer: TheirLayer,
    handle: CircuitBreakerHandle<FnClassifier<Classify>>,
}

impl Contender for TowerResilience {
    fn breaker(&self, rules: Rules) -> Result<Box<dyn Breaker>, Stop> {
        if rules.longer.is_some() {
            return Err(Stop::Cannot("the open time is always the same"));
        }
        if rules.told {
            return Err(Stop::Cannot("a failure cannot say how long to stay open"));
        }
        if rules.consecutive.is_some() && (rules.rate.is_some() || rules.rate_over.is_some()) {
            return Err(Stop::Cannot("there is one failure model at a time"));
        }
        let classify: Classify =
            |result| matches!(result, Err(Trouble::Theirs | Trouble::TheirsFor(_)));
        let mut builder = CircuitBreakerLayer::builder()
            .failure_classifier::<_, (), Trouble>(classify)
            .wait_duration_in_open(rules.open)
            .permitted_calls_in_half_open(rules.probes as usize);
        if let Some(failures) = rules.consecutive {
            builder = builder.consecutive_failures(failures as usize);
        }
        if let Some(rate) = rules.rate {
            builder = builder
                .failure_rate_threshold(rate.failures)
                .sliding_window_size(rate.last as usize)
                .minimum_number_of_calls(rate.least as usize);
        }
        if let Some(rate) = rules.rate_over {
            builder = builder
                .sliding_window_type(SlidingWindowType::TimeBased)
                .sliding_window_duration(rate.time)
                .failure_rate_threshold(rate.failures)
                .minimum_number_of_calls(rate.least as usize);
        }
        if let Some(slow) = rules.slow {
            builder = builder
                .slow_call_duration_threshold(slow)
                .slow_call_rate_threshold(1.0)
                .sliding_window_size(5)
                .minimum_number_of_calls(5);
        }
        if let Some(tell) = rules.on_change {
            builder = builder.on_state_transition(move |_, _| tell());
        }
        if rules.by_hand {
            builder = builder.manual_mode();
        }
        let (layer, handle) = builder.build_with_handle().map_err(|_| refused())?;
        Ok(Box::new(Layers { layer, handle }))
    }
}

fn refused() -> Stop {
    Stop::Cannot("its builder refuses these settings")
}

impl Breaker for Layers {
    fn call(&self, work: Work) -> Pin<Box<dyn Future<Output = Called> + Send>> {
        let service = self.layer.layer(Made);
        Box::pin(async move {
            match service.oneshot(Request(work)).await {
                Ok(()) => Called::Succeeded,
                Err(error) => called(error),
            }
        })
    }

    fn layered(&self, inner: Probed) -> Result<Layered, Stop> {
        Ok(BoxCloneService::new(self.layer.layer(inner).map_err(called)))
    }

    fn state(&self) -> Result<State, Stop> {
        Ok(match self.handle.state() {
            CircuitState::Closed => State::Closed,
            CircuitState::Open => State::Open,
            CircuitState::HalfOpen => State::HalfOpen,
        })
    }

    fn open_by_hand(&self) -> Result<Box<dyn Send>, Stop> {
        // Nobody else has the lock.
        let opened = pin!(self.handle.force_open()).poll(&mut Context::from_waker(Waker::noop()));
        assert!(opened.is_ready(), "the circuit is locked");
        Ok(Box::new(()))
    }
}

/// The service that makes the call it is given.
#[derive(Clone)]
struct Made;

/// A request that is its own answer.
struct Request(Work);

impl Service<Request> for Made {
    type Response = ();
    type Error = Trouble;
    type Future = Work;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Trouble>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, Request(work): Request) -> Work {
        work
    }
}

fn called(error: CircuitBreakerError<Trouble>) -> Called {
    if error.is_circuit_open() { Called::Rejected } else { Called::Failed }
}
