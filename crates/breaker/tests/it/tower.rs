//! The breaker as a layer.

use std::{
    future::{Future as _, PollFn, Ready, poll_fn, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use tower_layer::Layer as _;
use tower_service::Service;
use underpin_breaker::{Breaker, BreakerLayer, Error, Outcome, Rejected, State, Trip};

use crate::{millis, secs};

/// Answers with what it is asked for, and counts.
#[derive(Clone, Default)]
struct Echo {
    readied: Arc<AtomicUsize>,
    called: Arc<AtomicUsize>,
}

impl Service<u16> for Echo {
    type Response = u16;
    type Error = &'static str;
    type Future = Ready<Result<u16, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        self.readied.fetch_add(1, Relaxed);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, status: u16) -> Self::Future {
        self.called.fetch_add(1, Relaxed);
        ready(if status == 0 { Err("reset") } else { Ok(status) })
    }
}

fn classify(result: Result<&u16, &&'static str>) -> Outcome {
    match result {
        Ok(500..) | Err(_) => Outcome::Failure,
        Ok(_) => Outcome::Success,
    }
}

#[tokio::test]
async fn open_does_not_touch_inner() {
    let breaker = Breaker::builder("payments").trip(Trip::consecutive(2)).build();
    let echo = Echo::default();
    let mut service = BreakerLayer::new(breaker.clone(), classify).layer(echo.clone());
    assert_eq!(service.call(404).await, Ok(404));
    assert_eq!(service.call(503).await, Ok(503));
    assert_eq!(service.call(0).await, Err(Error::Inner("reset")));
    assert_eq!(breaker.state(), State::Open);
    for _ in 0..10 {
        assert!(service.call(200).await.is_err_and(|error| error.is_rejected()));
    }
    assert_eq!((echo.readied.load(Relaxed), echo.called.load(Relaxed)), (3, 3));
}

/// What a server answers instead of a call.
fn unavailable(rejected: &Rejected) -> http::Response<String> {
    let response = http::Response::builder().status(503);
    let response = match rejected.retry_in {
        // Up: whoever is told 29 s and comes after them is 0.5 s too early.
        Some(time) => {
            response.header("retry-after", time.as_secs_f64().ceil().max(1.0).to_string())
        }
        None => response,
    };
    response.body(rejected.to_string()).expect("it is well formed")
}

#[tokio::test]
async fn rejection_becomes_a_503_that_says_when_to_come_back() {
    let retry_after = async |open: Duration| {
        let trip = Trip::consecutive(1);
        let breaker = Breaker::builder("payments").trip(trip).open(open).build();
        let mut service = BreakerLayer::new(breaker, classify).layer(Echo::default());
        let _ = service.call(503).await;
        let Err(Error::Rejected(rejected)) = service.call(200).await else { panic!("it is open") };
        let response = unavailable(&rejected);
        assert_eq!(response.status(), 503);
        assert!(response.body().starts_with("circuit breaker 'payments' is open"));
        response.headers()["retry-after"].to_str().expect("a number").to_owned()
    };
    // Less than the whole time is left by then, and what is left is rounded up.
    assert_eq!(retry_after(secs(3600)).await, "3600");
    assert_eq!(retry_after(secs(1799) + millis(999)).await, "1800");
}

#[tokio::test]
async fn isolation_becomes_a_503_that_does_not_say_when_to_come_back() {
    let breaker = Breaker::new("payments");
    let _isolation = breaker.isolate();
    let rejected = breaker.try_acquire().expect_err("it is isolated");
    assert!(!unavailable(&rejected).headers().contains_key("retry-after"));
}

/// Panics while it is polled.
#[derive(Clone)]
struct Panics;

impl Service<u16> for Panics {
    type Response = u16;
    type Error = &'static str;
    type Future = PollFn<fn(&mut Context<'_>) -> Poll<Result<u16, &'static str>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: u16) -> Self::Future {
        poll_fn(|_| panic!("on purpose"))
    }
}

#[test]
fn panic_of_the_service_is_a_failure_whoever_catches_it() {
    let breaker = Breaker::builder("payments").trip(Trip::consecutive(1)).build();
    let mut service = BreakerLayer::new(breaker.clone(), classify).layer(Panics);
    let mut call = pin!(service.call(200));
    let mut poll = || call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(catch_unwind(AssertUnwindSafe(&mut poll)).is_err());
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test]
async fn ready_service_that_is_never_called_holds_no_permit() {
    let breaker = Breaker::builder("payments").trip(Trip::consecutive(1)).build();
    let mut service = BreakerLayer::new(breaker.clone(), classify).layer(Echo::default());
    let mut other = service.clone();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    drop(service);
    assert_eq!(other.call(200).await, Ok(200));
}
