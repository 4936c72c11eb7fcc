//! Futures and closures through a breaker.

use std::{
    cell::Cell,
    future::{Future, pending, poll_fn, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use underpin_breaker::{Breaker, Error, Outcome, State, Trip};

fn breaker() -> Breaker {
    Breaker::builder("payments").trip(Trip::consecutive(1)).build()
}

/// Polls once, and hands back what is left.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn result_comes_through_and_an_error_counts() {
    let breaker = breaker();
    assert_eq!(breaker.call(ready(Ok::<_, &str>(7))).await, Ok(7));
    assert_eq!(breaker.call(ready(Err::<(), _>("down"))).await, Err(Error::Inner("down")));
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test]
async fn rejected_future_is_never_polled() {
    let breaker = breaker();
    let _ = breaker.run(|| Err::<(), _>(()));
    let polled = Cell::new(false);
    let call = poll_fn(|_| {
        polled.set(true);
        Poll::Ready(Ok::<_, ()>(()))
    });
    assert!(breaker.call(call).await.is_err_and(|error| error.is_rejected()));
    assert!(!polled.get());
    assert!(breaker.run(|| -> Result<(), ()> { unreachable!("it is open") }).is_err());
}

#[tokio::test]
async fn nothing_is_decided_before_the_first_poll() {
    let breaker = breaker();
    let call = breaker.call(ready(Ok::<_, ()>(())));
    let _ = breaker.run(|| Err::<(), _>(()));
    assert!(call.await.is_err_and(|error| error.is_rejected()));
}

#[tokio::test]
async fn classified_results_count_as_they_are_classified() {
    let breaker = breaker();
    let classify = |result: Result<&u16, &&str>| match result {
        Ok(500..) => Outcome::Failure,
        Ok(_) => Outcome::Success,
        Err(&"our own mistake") => Outcome::Ignore,
        Err(_) => Outcome::Failure,
    };
    assert_eq!(breaker.call(ready(Ok(404))).classify(classify).await, Ok(404));
    let ignored = breaker.call(ready(Err("our own mistake"))).classify(classify).await;
    assert_eq!(ignored, Err(Error::Inner("our own mistake")));
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.call(ready(Ok(503))).classify(classify).await, Ok(503));
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn cancelled_calls_are_neutral() {
    let breaker = breaker();
    for _ in 0..100 {
        let call = pin!(breaker.call(pending::<Result<(), ()>>()));
        assert!(poll_once(call).is_pending());
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn cancelled_calls_that_were_slow_are_failures() {
    let breaker = Breaker::builder("hung").slow(Duration::ZERO).build();
    for _ in 0..5 {
        let call = pin!(breaker.call(pending::<Result<(), ()>>()));
        assert!(poll_once(call).is_pending());
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn call_that_is_dropped_before_its_first_poll_is_neutral() {
    let breaker = Breaker::builder("hung").slow(Duration::ZERO).trip(Trip::consecutive(1)).build();
    drop(breaker.call(pending::<Result<(), ()>>()));
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn panic_is_a_failure() {
    let breaker = breaker();
    let call = || -> Result<(), ()> { panic!("on purpose") };
    assert!(catch_unwind(AssertUnwindSafe(|| breaker.run(call))).is_err());
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn panic_that_is_caught_around_the_poll_is_a_failure_too() {
    let breaker = breaker();
    let mut call =
        pin!(breaker.call(poll_fn(|_| -> Poll<Result<(), ()>> { panic!("on purpose") })));
    assert!(catch_unwind(AssertUnwindSafe(|| poll_once(call.as_mut()))).is_err());
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn owned_permit_counts_as_well() {
    let breaker = breaker();
    drop(breaker.try_acquire_owned().expect("it is closed"));
    assert_eq!(breaker.state(), State::Closed);
    breaker.try_acquire_owned().expect("it is closed").failure();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn errors_speak_for_themselves() {
    use std::error::Error as _;
    let inner = Error::Inner(std::io::Error::other("connection refused"));
    assert_eq!(inner.to_string(), "connection refused");
    assert!(inner.source().is_none());
    assert_eq!(
        inner.into_inner().map(|error| error.to_string()).as_deref(),
        Some("connection refused")
    );
}
