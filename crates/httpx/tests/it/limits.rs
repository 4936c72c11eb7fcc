//! With a rate limit of our own.

use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    task::Poll,
    time::Instant,
};

use underpin_httpx::{Budget, Kind};
use underpin_ratelimit::{Limit, Limiter};

use crate::{
    builder, millis, secs,
    server::{Server, ok, status},
};

fn one_in(time: std::time::Duration) -> Limiter {
    Limiter::new(Limit::window(1, time))
}

#[tokio::test]
async fn requests_wait_for_the_limit_of_their_host() {
    let (server, other) = (Server::new(|_| ok("fine")).await, Server::new(|_| ok("fine")).await);
    let http = builder(&server).rate_limit(one_in(millis(300))).build().expect("a client");
    let began = Instant::now();
    http.get("a").send().await.expect("a response");
    http.get(other.url()).send().await.expect("a response");
    assert!(began.elapsed() < millis(300), "another host has a limit of its own");
    let response = http.get("b").send().await.expect("a response");
    assert_eq!(response.attempts(), 1);
    assert!(began.elapsed() >= millis(290), "{:?}", began.elapsed());
}

#[tokio::test]
async fn retries_are_limited_too() {
    let server = Server::script(vec![status(500)]).await;
    let http = builder(&server).rate_limit(one_in(millis(300))).build().expect("a client");
    let response = http.get("a").send().await.expect("a response");
    assert_eq!(response.attempts(), 2);
    assert!(response.elapsed() >= millis(290), "{:?}", response.elapsed());
}

#[tokio::test]
async fn a_place_that_comes_too_late_is_not_waited_for() {
    let server = Server::new(|_| ok("fine")).await;
    let budget = Budget::ratio(0.0).burst(5);
    let shared = budget.clone();
    let http = builder(&server)
        .rate_limit(one_in(secs(60)))
        .budget(move || shared.clone())
        .build()
        .expect("a client");
    http.get("a").send().await.expect("a response");
    let began = Instant::now();
    let error = http.get("b").send().await.expect_err("no place");
    assert_eq!((error.kind(), error.attempts()), (Kind::Limited, 0));
    assert!(error.is_rejected() && !error.is_exhausted());
    assert!(error.retry_after().is_some_and(|time| time > secs(50)));
    assert!(began.elapsed() < secs(5));
    assert_eq!((budget.balance(), server.count()), (5, 1));
}

#[tokio::test]
async fn who_is_dropped_while_it_waits_gives_its_place_back() {
    let server = Server::new(|_| ok("fine")).await;
    let http = builder(&server).rate_limit(one_in(millis(500))).build().expect("a client");
    let began = Instant::now();
    http.get("a").send().await.expect("a response");
    {
        let mut waiting = pin!(http.get("b").send());
        assert!(poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await);
    }
    http.get("c").send().await.expect("a response");
    assert!(began.elapsed() < millis(950), "{:?}", began.elapsed());
    assert_eq!(server.count(), 2);
}

#[cfg(feature = "breaker")]
#[tokio::test]
async fn while_the_breaker_is_open_no_place_is_waited_for() {
    let server = Server::new(|_| ok("fine")).await;
    let limiter = one_in(secs(60));
    limiter.check(&*server.address.to_string()).expect("the only place");
    let breaker = underpin_breaker::Breaker::new("payments");
    let _isolated = breaker.isolate();
    let http = builder(&server).rate_limit(limiter).breaker(breaker).build().expect("a client");
    assert_eq!(http.get("a").send().await.expect_err("rejected").kind(), Kind::Rejected);
}

#[cfg(feature = "breaker")]
#[tokio::test]
async fn a_place_that_the_breaker_makes_useless_is_given_back() {
    let server = Server::new(|_| ok("fine")).await;
    let limiter = one_in(millis(300));
    let breaker = underpin_breaker::Breaker::new("payments");
    let http = builder(&server)
        .rate_limit(limiter.clone())
        .breaker(breaker.clone())
        .build()
        .expect("a client");
    http.get("a").send().await.expect("a response");
    let mut waiting = pin!(http.get("b").send());
    assert!(poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await);
    let _isolated = breaker.isolate();
    assert_eq!(waiting.await.expect_err("rejected").kind(), Kind::Rejected);
    assert_eq!(limiter.remaining(&*server.address.to_string()), 1);
}

#[cfg(feature = "breaker")]
#[tokio::test]
async fn who_waits_for_a_place_holds_no_probe() {
    let server = Server::new(|_| ok("fine")).await;
    let breaker = underpin_breaker::Breaker::builder("payments").open(secs(0)).build();
    let http = builder(&server)
        .rate_limit(one_in(millis(300)))
        .breaker(breaker.clone())
        .build()
        .expect("a client");
    http.get("a").send().await.expect("a response");
    let mut waiting = pin!(http.get("b").send());
    assert!(poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await);
    for _ in 0..5 {
        breaker.try_acquire().expect("it is closed").failure();
    }
    let later = Instant::now() + secs(1);
    assert!(breaker.try_acquire_at(later).expect("nobody holds the only place").is_probe());
    waiting.await.expect("a response");
}
