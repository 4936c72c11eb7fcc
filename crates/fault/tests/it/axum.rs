//! Faults as axum answers.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::{
    body::{Bytes, to_bytes},
    http::{StatusCode, header, response::Parts},
    response::IntoResponse,
};
use underpin_fault::{Fault, Kind};

/// What a client gets.
pub(crate) fn answer(from: impl IntoResponse) -> (Parts, String) {
    let (parts, body) = from.into_response().into_parts();
    // The body is in memory, so that it is there at the first poll.
    let body: Bytes =
        match pin!(to_bytes(body, usize::MAX)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(body) => body.expect("a body in memory cannot fail"),
            Poll::Pending => panic!("the body is not in memory"),
        };
    (parts, String::from_utf8(body.to_vec()).expect("JSON is UTF-8"))
}

#[test]
fn answers_with_the_problem_document() {
    let fault = || Fault::new(Kind::NotFound, "order.missing").message("there is no such order");
    let (parts, body) = answer(fault());
    assert_eq!(parts.status, StatusCode::NOT_FOUND);
    assert_eq!(parts.headers[header::CONTENT_TYPE], "application/problem+json");
    assert!(!parts.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(body, fault().problem().to_json());
}

#[test]
fn respects_the_status_and_says_when_to_come_back() {
    let fault = Fault::new(Kind::Unavailable, "PAYMENT_ERROR")
        .status(502)
        .retry_after(Duration::from_millis(1001));
    let (parts, _) = answer(fault);
    assert_eq!(parts.status, StatusCode::BAD_GATEWAY);
    assert_eq!(parts.headers[header::RETRY_AFTER], "2");
}

#[test]
fn leaves_the_fault_for_the_access_log() {
    let (parts, _) = answer(Fault::bug("ledger.negative").with("user", 7));
    let fault = parts.extensions.get::<Arc<Fault>>().expect("the fault is in the extensions");
    assert_eq!(fault.code(), "ledger.negative");
    // A middleware that knows the request id answers anew.
    let (_, body) = answer(fault.problem().with_request_id("r-1"));
    assert!(body.contains(r#""request_id":"r-1""#), "{body}");
}

#[test]
fn works_as_the_error_of_a_handler() {
    let result: Result<&str, Fault> = Err(Fault::new(Kind::Unauthenticated, "login"));
    assert_eq!(answer(result).0.status, StatusCode::UNAUTHORIZED);
}
