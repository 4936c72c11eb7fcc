//! What is sent again, how often, and what comes of it.

use underpin_httpx::{Budget, Disposition, Kind, Retry, reqwest};

use crate::{
    builder, client, millis, secs,
    server::{Server, Step, answer, broken, ok, raw, status},
};

#[tokio::test]
async fn a_get_is_sent_again_until_it_succeeds() {
    let server =
        Server::script(vec![status(500), status(502), vec![Step::Close], ok("at last")]).await;
    let response = client(&server).get("x").send().await.expect("a response");
    assert_eq!((response.status().as_u16(), response.attempts()), (200, 4));
    assert!(!response.is_exhausted());
    assert_eq!(response.text().await.expect("a body"), "at last");
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn the_last_answer_is_returned_when_no_attempts_are_left() {
    let server = Server::new(|_| status(503)).await;
    let response = client(&server).get("x").send().await.expect("a response");
    assert_eq!((response.status().as_u16(), response.attempts()), (503, 4));
    assert!(response.is_exhausted());
    assert_eq!(response.disposition(), Disposition::Unknown);

    let error = response.json::<String>().await.expect_err("503");
    assert_eq!((error.kind(), error.attempts()), (Kind::Status, 4));
    assert!(error.is_exhausted());
    assert_eq!(error.body_prefix(), b"oops");
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn a_4xx_is_returned_at_once() {
    let server = Server::new(|_| status(404)).await;
    let response = client(&server).get("x").send().await.expect("a response");
    assert_eq!((response.status().as_u16(), response.attempts()), (404, 1));
    assert!(!response.is_exhausted());
    let error = client(&server).get("x").text().await.expect_err("404");
    assert!(!error.is_exhausted());
    assert_eq!(error.status().map(|status| status.as_u16()), Some(404));
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_read_again() {
    let server = Server::script(vec![broken("", 10, "half"), ok("\"whole\"")]).await;
    let whole: String = client(&server).get("x").json().await.expect("JSON");
    assert_eq!(whole, "whole");
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_streamed_body_that_breaks_off_is_an_error() {
    let server = Server::script(vec![broken("", 10, "half")]).await;
    let mut response = client(&server).get("x").send().await.expect("a response");
    assert_eq!(response.chunk().await.expect("a piece").as_deref(), Some(&b"half"[..]));
    let error = response.chunk().await.expect_err("broken");
    assert_eq!((error.kind(), error.disposition()), (Kind::Body, Disposition::Unknown));
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn one_attempt_is_one_attempt() {
    let server = Server::new(|_| status(500)).await;
    let response = client(&server).get("x").no_retry().send().await.expect("a response");
    assert_eq!(response.attempts(), 1);
    // Nobody has retried, so that another layer may.
    assert!(!response.is_exhausted());
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn all_callers_of_a_host_share_a_budget() {
    let server = Server::new(|_| status(500)).await;
    let http = builder(&server).budget(|| Budget::ratio(0.0).burst(2)).build().expect("a client");
    let first = http.get("x").send().await.expect("a response");
    assert_eq!(first.attempts(), 3);
    let second = http.get("x").send().await.expect("a response");
    assert_eq!(second.attempts(), 1);
    assert!(first.is_exhausted() && second.is_exhausted());

    let other = Server::new(|_| status(500)).await;
    let third = http.get(other.url()).send().await.expect("a response");
    assert_eq!(third.attempts(), 3);
}

#[tokio::test]
async fn the_connection_of_a_failed_response_is_used_again() {
    let long = "x".repeat(60_000);
    let server = Server::script(vec![answer(500, "", &long), answer(503, "", "short")]).await;
    client(&server).get("x").text().await.expect("a body");
    let connections: Vec<_> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [1, 1, 1]);
}

#[tokio::test]
async fn a_failed_response_that_does_not_end_is_given_up() {
    let endless = vec![raw("HTTP/1.1 500 Oops\r\ncontent-length: 1000\r\n\r\nsome"), Step::Hang];
    let server = Server::script(vec![endless]).await;
    let response = client(&server).get("x").send().await.expect("a response");
    assert_eq!(response.attempts(), 2);
    assert!(response.elapsed() < secs(5));
    assert_eq!(server.seen()[1].connection, 2);
}

#[tokio::test]
async fn a_dropped_request_is_not_sent_again() {
    let server = Server::new(|_| vec![Step::Hang]).await;
    let budget = Budget::ratio(0.0).burst(5);
    let shared = budget.clone();
    let http = builder(&server)
        .attempt_timeout(millis(20))
        .retry(Retry::fixed(secs(60)))
        .deadline(secs(600))
        .budget(move || shared.clone())
        .build()
        .expect("a client");
    let request = tokio::spawn(async move { http.get("x").send().await });
    server.wait_for(1).await;
    // It waits for its retry when that is taken out of the budget.
    while budget.balance() == 5 {
        tokio::time::sleep(millis(1)).await; // sleep-ok: until the attempt has timed out
    }
    request.abort();
    assert!(request.await.expect_err("aborted").is_cancelled());
    assert_eq!((budget.balance(), server.count()), (5, 1));
}

#[tokio::test]
async fn a_request_of_reqwest_is_retried_too() {
    let server = Server::script(vec![status(500)]).await;
    let http = client(&server);
    let url = server.url();
    let request = http.inner().put(url).body("text").build().expect("a request");
    let response = http.execute(request).await.expect("a response");
    assert_eq!(response.attempts(), 2);
    let bodies: Vec<_> = server.seen().iter().map(|seen| seen.body.clone()).collect();
    assert_eq!(bodies, ["text", "text"]);
    assert_eq!(response.status(), reqwest::StatusCode::OK);
}
