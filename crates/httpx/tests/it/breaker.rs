//! With a circuit breaker.

use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Instant,
};

use underpin_breaker::{Breaker, Breakers, State};
use underpin_httpx::{Budget, Kind};

use crate::{
    builder, millis, secs,
    server::{Server, Step, answer, broken, ok, status},
};

fn breaker() -> Breaker {
    Breaker::builder("payments").build()
}

#[tokio::test]
async fn failures_open_it_and_nothing_is_sent_then() {
    let server = Server::new(|_| status(500)).await;
    let breaker = breaker();
    let http = builder(&server).breaker(breaker.clone()).build().expect("a client");
    for _ in 0..2 {
        http.get("x").send().await.expect("a response");
    }
    // 4 attempts of the first, and the first of the second.
    assert_eq!((breaker.state(), server.count()), (State::Open, 5));
    let error = http.get("x").send().await.expect_err("rejected");
    assert_eq!((error.kind(), error.attempts()), (Kind::Rejected, 0));
    assert!(error.is_rejected() && !error.is_exhausted());
    assert!(error.retry_after().is_some_and(|time| time > secs(20) && time <= secs(30)));
    assert_eq!(server.count(), 5);
}

#[tokio::test]
async fn no_retry_is_waited_or_paid_for_while_it_is_open() {
    let server = Server::new(|_| status(500)).await;
    let breaker = Breaker::builder("payments").trip(underpin_breaker::Trip::consecutive(1)).build();
    let budget = Budget::ratio(0.0).burst(5);
    let shared = budget.clone();
    let http =
        builder(&server).breaker(breaker).budget(move || shared.clone()).build().expect("a client");
    let response = http.get("x").send().await.expect("a response");
    assert_eq!((response.status().as_u16(), response.attempts()), (500, 1));
    http.get("x").send().await.expect_err("rejected");
    assert_eq!(budget.balance(), 5);
}

#[tokio::test]
async fn client_errors_do_not_open_it() {
    for code in [400, 401, 404, 422, 429] {
        let server = Server::new(move |_| status(code)).await;
        let breaker = breaker();
        let http = builder(&server).breaker(breaker.clone()).build().expect("a client");
        for _ in 0..10 {
            http.get("x").no_retry().send().await.expect("a response");
        }
        assert_eq!(breaker.state(), State::Closed, "{code}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_failure_though_the_status_was_200() {
    let server = Server::new(|_| broken("", 10, "half")).await;
    let breaker = breaker();
    let http = builder(&server).breaker(breaker.clone()).build().expect("a client");
    for failures in 1..=5 {
        let mut response = http.get("x").send().await.expect("a response");
        while let Ok(Some(_)) = response.chunk().await {}
        if failures < 5 {
            assert_eq!(breaker.snapshot().failures, failures);
        }
    }
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test]
async fn a_response_counts_when_its_body_ends_or_is_not_wanted() {
    let server = Server::new(|seen| match &*seen.path {
        "/fail" => status(500),
        "/stuck" => vec![
            Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec()),
            Step::Hang,
        ],
        _ => ok("fine"),
    })
    .await;
    let breaker = breaker();
    let http = builder(&server).breaker(breaker.clone()).build().expect("a client");
    let fail = async || {
        http.get("fail").no_retry().send().await.expect("a response");
        breaker.snapshot().failures
    };

    assert_eq!(fail().await, 1);
    let response = http.get("fine").send().await.expect("a response");
    assert_eq!(breaker.snapshot().failures, 1, "its body is not there yet");
    drop(response);
    assert_eq!(breaker.snapshot().failures, 0, "the status was all that was asked for");

    assert_eq!(fail().await, 1);
    http.get("fine").text().await.expect("a body");
    assert_eq!(breaker.snapshot().failures, 0);

    assert_eq!(fail().await, 1);
    let mut response = http.get("stuck").send().await.expect("a response");
    response.chunk().await.expect("a piece");
    drop(response);
    assert_eq!(breaker.snapshot().failures, 1, "half a body says nothing");

    let stuck = http.get("stuck").attempt_timeout(millis(30)).no_retry().text().await;
    assert!(stuck.expect_err("it hangs").is_timeout());
    assert_eq!(breaker.snapshot().failures, 2);
}

#[tokio::test]
async fn mistakes_of_the_request_are_not_counted() {
    let server = Server::new(|_| ok("fine")).await;
    let breaker = breaker();
    let http = builder(&server).breaker(breaker.clone()).build().expect("a client");
    for _ in 0..10 {
        http.get("ftp://example.com/").send().await.expect_err("no such scheme");
    }
    assert_eq!((breaker.state(), breaker.snapshot().failures), (State::Closed, 0));
}

#[tokio::test]
async fn a_cancelled_request_is_neutral() {
    let server = Server::new(|_| vec![Step::Hang]).await;
    let breaker = breaker();
    let http = builder(&server).breaker(breaker.clone()).build().expect("a client");
    for count in 1..=10 {
        let http = http.clone();
        let request = tokio::spawn(async move { http.get("x").send().await });
        server.wait_for(count).await;
        request.abort();
        assert!(request.await.expect_err("aborted").is_cancelled());
    }
    assert_eq!((breaker.state(), breaker.snapshot().failures), (State::Closed, 0));
}

#[tokio::test]
async fn a_request_that_waits_holds_no_probe() {
    let server = Server::script(vec![answer(429, "retry-after: 1\r\n", "")]).await;
    let breaker = Breaker::builder("payments").open(secs(0)).successes(1).build();
    let http = builder(&server).breaker(breaker.clone()).build().expect("a client");
    http.get("a").no_retry().send().await.expect("a response");
    for _ in 0..5 {
        breaker.try_acquire().expect("it is closed").failure();
    }
    let mut request = pin!(http.get("b").send());
    let is_waiting = poll_fn(|cx| Poll::Ready(request.as_mut().poll(cx).is_pending())).await;
    assert!(is_waiting && server.count() == 1);
    let later = Instant::now() + secs(1);
    let probe = breaker.try_acquire_at(later).expect("nobody holds the only place");
    assert!(probe.is_probe());
    drop(probe);
    request.await.expect("a response");
    assert_eq!((breaker.state(), server.count()), (State::Closed, 2));
}

#[tokio::test]
async fn a_503_keeps_it_open_for_as_long_as_it_says() {
    let server = Server::new(|_| answer(503, "retry-after: 100\r\n", "")).await;
    let breaker = Breaker::builder("payments").trip(underpin_breaker::Trip::consecutive(1)).build();
    let http =
        builder(&server).breaker(breaker.clone()).pause_hosts(false).build().expect("a client");
    http.get("x").send().await.expect("a response");
    assert!(breaker.snapshot().retry_in.is_some_and(|time| time > secs(90)));
}

#[tokio::test]
async fn each_host_has_its_own() {
    let (bad, good) = (Server::new(|_| status(500)).await, Server::new(|_| ok("fine")).await);
    let breakers = Arc::new(Breakers::new(100, |host: &String| Breaker::new(host.clone())));
    let http = builder(&bad).breakers(breakers.clone()).build().expect("a client");
    for _ in 0..3 {
        let _ = http.get("x").send().await;
    }
    assert_eq!(http.get("x").send().await.expect_err("rejected").kind(), Kind::Rejected);
    assert_eq!(http.get(good.url()).text().await.expect("an answer"), "fine");
    let state = |address| breakers.get(&format!("{address}")).state();
    assert_eq!((state(bad.address), state(good.address)), (State::Open, State::Closed));
}
