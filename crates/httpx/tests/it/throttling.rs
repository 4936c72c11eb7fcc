//! What `Retry-After` does to one request, and to all others.

use std::time::Instant;

use underpin_httpx::{Budget, Disposition, Kind};

use crate::{
    builder, client, millis, secs,
    server::{Server, answer, ok},
};

fn throttled(after: &str) -> Vec<crate::server::Step> {
    answer(429, &format!("retry-after: {after}\r\n"), "")
}

#[tokio::test]
async fn the_time_that_the_server_names_is_waited_for() {
    let server = Server::script(vec![throttled("1")]).await;
    let began = Instant::now();
    let response = client(&server).post("x").body("1").send().await.expect("a response");
    assert_eq!((response.status().as_u16(), response.attempts()), (200, 2));
    // A tenth may be added, and nothing taken away.
    assert!(began.elapsed() >= secs(1) && began.elapsed() < millis(2500), "{began:?}");
}

#[tokio::test]
async fn a_time_that_does_not_fit_is_surfaced_at_once() {
    for after in ["3600", "100000000000000000000", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        let after = after.to_owned();
        let server = Server::new(move |_| throttled(&after)).await;
        let response = client(&server).get("x").send().await.expect("a response");
        assert_eq!((response.status().as_u16(), response.attempts()), (429, 1));
        assert!(response.retry_after().is_some_and(|time| time >= secs(3600)));
        assert!(response.elapsed() < secs(5));
        assert!(response.is_exhausted());
        let error = response.json::<u8>().await.expect_err("429");
        assert!(error.retry_after().is_some_and(|time| time >= secs(3600)));
        assert!(matches!(error.disposition(), Disposition::Refused { after: Some(_) }));
    }
}

#[tokio::test]
async fn a_date_in_the_past_is_now() {
    for after in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "-3", "0"] {
        let server = Server::script(vec![throttled(after)]).await;
        assert_eq!(client(&server).post("x").text().await.expect("an answer"), "fine");
        assert_eq!(server.count(), 2);
    }
}

#[tokio::test]
async fn a_host_that_asks_for_it_is_left_alone_by_all() {
    let server = Server::script(vec![throttled("60")]).await;
    let http = client(&server);
    assert_eq!(http.get("a").send().await.expect("a response").status().as_u16(), 429);
    let began = Instant::now();
    let error = http.get("b").send().await.expect_err("paused");
    assert_eq!((error.kind(), error.attempts()), (Kind::Paused, 0));
    assert!(error.is_rejected() && !error.is_exhausted());
    assert!(error.retry_after().is_some_and(|time| time > secs(50) && time <= secs(60)));
    assert!(began.elapsed() < secs(5));
    assert_eq!(server.count(), 1);

    // Another host has nothing to do with it, nor has another client.
    let other = Server::new(|_| ok("fine")).await;
    http.get(other.url()).send().await.expect("a response");
    client(&server).get("c").send().await.expect("a response");
}

#[tokio::test]
async fn a_pause_that_fits_is_waited_for_and_costs_no_budget() {
    let server = Server::script(vec![throttled("1")]).await;
    let budget = Budget::ratio(0.0).burst(5);
    let shared = budget.clone();
    let http = builder(&server).budget(move || shared.clone()).build().expect("a client");
    http.get("a").no_retry().send().await.expect("a response");
    let began = Instant::now();
    let response = http.get("b").send().await.expect("a response");
    assert_eq!((response.status().as_u16(), response.attempts()), (200, 1));
    assert!(began.elapsed() >= millis(900), "{:?}", began.elapsed());
    assert_eq!(budget.balance(), 5);
}

#[tokio::test]
async fn pauses_can_be_turned_off() {
    let server = Server::script(vec![throttled("60")]).await;
    let http = builder(&server).pause_hosts(false).build().expect("a client");
    assert_eq!(http.get("a").send().await.expect("a response").status().as_u16(), 429);
    assert_eq!(http.get("b").send().await.expect("a response").status().as_u16(), 200);
}

#[tokio::test]
async fn a_500_with_a_time_pauses_nobody() {
    let server = Server::script(vec![answer(500, "retry-after: 60\r\n", "")]).await;
    assert_eq!(client(&server).get("a").text().await.expect("an answer"), "fine");
}
