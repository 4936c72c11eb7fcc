//! A host that is down, or that asks for a pause, is one host: all callers leave it alone, and no other host suffers for it.

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::Instant};
use underpin_breaker::{Breaker, Breakers, State};
use underpin_httpx::{Client, Kind};

use crate::resilience::httpx::{PATIENCE, answered, quick, server::Server};

fn breakers(open: Duration) -> Breakers<String> {
    Breakers::new(100, move |host: &String| {
        Breaker::builder(host.clone()).open(open).successes(1).build()
    })
}

#[tokio::test]
async fn the_breaker_of_one_host_lets_the_others_be() {
    let breakers = Arc::new(breakers(Duration::from_secs(60)));
    let client = quick().breakers(Arc::clone(&breakers)).build().expect("a client");
    let dead = Server::start(|_| answered(500, "", "")).await;
    let well = Server::start(|_| answered(200, "", "well")).await;
    // One try each, so 5 of them open it.
    for _ in 0..5 {
        let error = client.get(dead.url("/")).no_retry().bytes().await.expect_err("a 500");
        assert!(!error.is_rejected(), "{error}");
    }
    for _ in 0..20 {
        let begin = Instant::now();
        let error = client.get(dead.url("/")).bytes().await.expect_err("it is open");
        assert!(error.is_rejected(), "{error}");
        assert_eq!(error.attempts(), 0);
        assert!(error.retry_after().is_some_and(|after| after > Duration::from_secs(50)));
        assert!(begin.elapsed() < Duration::from_millis(250), "rejected, and slowly");
        assert_eq!(client.get(well.url("/")).bytes().await.expect("it is well"), "well");
    }
    assert_eq!(dead.seen().len(), 5);
    assert_eq!(well.seen().len(), 20);
    let open = breakers.all().into_iter().filter(|(_, breaker)| breaker.state() == State::Open);
    assert_eq!(open.count(), 1);
}

#[tokio::test]
async fn an_open_breaker_stops_the_retries_of_those_under_way_and_closes_again() {
    let breakers = Arc::new(breakers(Duration::from_millis(50)));
    let client = quick().breakers(Arc::clone(&breakers)).build().expect("a client");
    let server =
        Server::start(|turn| answered(if turn.order < 5 { 500 } else { 200 }, "", "well")).await;
    // 4 attempts, then 1: the fifth failure opens it, and there is no sixth attempt.
    client.get(server.url("/")).bytes().await.expect_err("500s");
    let error = client.get(server.url("/")).bytes().await.expect_err("500, then it is open");
    assert_eq!(server.seen().len(), 5, "{error}");
    let deadline = Instant::now() + PATIENCE;
    while client.get(server.url("/")).bytes().await.is_err() {
        assert!(Instant::now() < deadline, "it never closed");
        tokio::time::sleep(Duration::from_millis(5)).await; // sleep-ok: the breaker has no event for the end of its time
    }
    assert_eq!(breakers.all()[0].1.state(), State::Closed);
    // The probe, and nothing else.
    assert_eq!(server.seen().len(), 6);
}

/// Decided at the end of the body, not by the head: what breaks off after a 200 is a failure.
#[tokio::test]
async fn a_body_that_breaks_off_opens_the_breaker() {
    use crate::resilience::httpx::server::Step;
    let breaker = Breaker::new("bodies");
    let client = quick().breaker(breaker.clone()).build().expect("a client");
    let server = Server::start(|_| {
        vec![Step::READ, Step::send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"), Step::Fin]
    })
    .await;
    for nth in 1..=5 {
        let response = client.get(server.url("/")).send().await.expect("a head");
        assert_eq!(breaker.snapshot().failures, nth - 1, "nothing is known yet");
        response.bytes().await.expect_err("half a body");
    }
    assert_eq!(breaker.state(), State::Open);
    // One that is not read to its end says nothing.
    let breaker = Breaker::new("dropped");
    let client = quick().breaker(breaker.clone()).build().expect("a client");
    for _ in 0..10 {
        drop(client.get(server.url("/")).send().await.expect("a head"));
    }
    assert_eq!((breaker.state(), breaker.snapshot().failures), (State::Closed, 0));
}

#[tokio::test]
async fn what_we_do_wrong_or_refuse_is_not_the_hosts_failure() {
    let breaker = Breaker::new("ours");
    let client = quick().breaker(breaker.clone()).max_body(10).build().expect("a client");
    let server = Server::start(|turn| match turn.order % 3 {
        0 => answered(404, "", ""),
        1 => answered(429, "", ""),
        _ => answered(200, "", "more than ten bytes"),
    })
    .await;
    for _ in 0..30 {
        let _ = client.get(server.url("/")).no_retry().bytes().await;
        let _ = client.get("http://a b/").send().await;
        let _ = client.get(server.url("/")).header("a", "b\r\nc: d").send().await;
    }
    assert_eq!((breaker.state(), breaker.snapshot().failures), (State::Closed, 0));
}

/// 1 s, which is the least that the header can say.
#[tokio::test]
async fn a_pause_is_shared_by_all_callers_of_a_host() {
    const PAUSE: Duration = Duration::from_secs(1);
    let client: Client = quick().build().expect("a client");
    let server = Server::start(|turn| {
        if turn.order == 0 {
            answered(429, "retry-after: 1\r\n", "")
        } else {
            answered(200, "", "open again")
        }
    })
    .await;
    let other = Server::start(|_| answered(200, "", "well")).await;
    let url = server.url("/");
    let begin = Instant::now();
    assert_eq!(client.get(&url).no_retry().send().await.expect("a 429").status(), 429);
    // Who has no time for it hears so at once.
    for _ in 0..10 {
        let error =
            client.post(&url).body("x").deadline(PAUSE / 2).send().await.expect_err("it is paused");
        assert!(error.kind() == Kind::Paused, "{error}");
        assert_eq!(error.attempts(), 0);
        let after = error.retry_after().expect("a time");
        assert!(after <= PAUSE && after > PAUSE / 2, "{after:?}");
    }
    assert!(begin.elapsed() < PAUSE / 2, "they waited");
    assert_eq!(server.seen().len(), 1);
    // Who has, waits; and nobody else.
    let mut waiting = JoinSet::new();
    for _ in 0..50 {
        let (client, url) = (client.clone(), url.clone());
        waiting.spawn(async move { client.post(url).body("x").bytes().await });
    }
    assert_eq!(client.get(other.url("/")).bytes().await.expect("another host"), "well");
    assert!(begin.elapsed() < PAUSE, "another host was paused");
    while let Some(outcome) = waiting.join_next().await {
        assert_eq!(outcome.expect("no panic").expect("an answer"), "open again");
        assert!(begin.elapsed() >= PAUSE, "somebody did not wait");
    }
    assert_eq!(server.seen().len(), 51);
}
