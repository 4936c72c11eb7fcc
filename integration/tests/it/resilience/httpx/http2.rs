//! What HTTP/2 says about a request that was not looked at is believed, and nothing more than that.

use std::time::Duration;

use testkit::full_or;
use tokio::{task::JoinSet, time::Instant};
use underpin_httpx::{Client, Disposition, Request};

use crate::resilience::httpx::{
    h2::{BODY, CANCEL, Deed, INTERNAL_ERROR, REFUSED_STREAM, Server},
    quick,
};

fn client() -> Client {
    quick().configure(reqwest::ClientBuilder::http2_prior_knowledge).build().expect("a client")
}

fn requests(client: &Client, url: &str) -> [(&'static str, bool, Request); 4] {
    [
        ("GET", true, client.get(url)),
        ("PUT", true, client.put(url).body("everything")),
        ("POST", false, client.post(url).body("everything")),
        ("POST with a key", true, client.post(url).body("everything").idempotent()),
    ]
}

#[tokio::test]
async fn what_was_refused_or_is_beyond_a_goaway_is_sent_again_whatever_its_method() {
    let client = client();
    for deed in
        [Deed::Refuse, Deed::GoAwayBelow, Deed::GoAwayBelowOpen, Deed::Reset(REFUSED_STREAM)]
    {
        for times in 1..=3 {
            let server =
                Server::start(
                    move |order| {
                        if order % (times + 1) < times { deed } else { Deed::Answer(200) }
                    },
                )
                .await;
            for (name, _, request) in requests(&client, &server.url("/")) {
                let before = server.streams().len();
                let response = request.send().await;
                let response = response
                    .unwrap_or_else(|error| panic!("{name}, {times} times {deed:?}: {error}"));
                assert_eq!(response.status(), 200, "{name}, {times} times {deed:?}");
                let on_the_wire = server.streams().len() - before;
                assert_eq!(on_the_wire, times + 1, "{name}, {times} times {deed:?}");
                assert_eq!(
                    response.attempts() as usize,
                    on_the_wire,
                    "{name}, {times} times {deed:?}"
                );
                assert_eq!(response.bytes().await.expect("a body"), BODY);
            }
        }
    }
}

#[tokio::test]
async fn what_may_have_been_processed_is_sent_again_if_it_is_idempotent() {
    let client = client();
    let deeds = [
        Deed::Reset(INTERNAL_ERROR),
        Deed::Reset(CANCEL),
        Deed::Reset(0),
        Deed::ResetInBody(INTERNAL_ERROR),
        Deed::ResetInBody(REFUSED_STREAM),
        Deed::ResetInBody(0),
        Deed::ResetInBody(CANCEL),
        Deed::GoAwayDropped(0),
        Deed::GoAwayDropped(INTERNAL_ERROR),
        Deed::Close,
    ];
    for deed in deeds {
        for nth in 0..4 {
            let server =
                Server::start(move |order| if order == 0 { deed } else { Deed::Answer(200) }).await;
            let mut requests = requests(&client, &server.url("/")).into_iter();
            let (name, is_safe, request) = requests.nth(nth).expect("four requests");
            let outcome = request.bytes().await;
            if is_safe {
                let body = outcome.unwrap_or_else(|error| panic!("{name}, {deed:?}: {error}"));
                assert_eq!(body, BODY, "{name}, {deed:?}");
                assert_eq!(server.streams().len(), 2, "{name}, {deed:?}");
            } else {
                let error = outcome.expect_err("nobody knows");
                assert_eq!(error.disposition(), Disposition::Unknown, "{name}, {deed:?}: {error}");
                assert_eq!(server.streams().len(), 1, "{name}, {deed:?}");
                assert_eq!(error.attempts(), 1, "{name}, {deed:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_goaway_lets_what_was_accepted_end() {
    let client = client();
    let server = Server::start(|_| Deed::GoAwayAnswered).await;
    for nth in 1..=5 {
        let response =
            client.post(server.url("/")).body("everything").send().await.expect("an answer");
        assert_eq!(response.attempts(), 1);
        assert_eq!(response.bytes().await.expect("a body"), BODY);
        assert_eq!(server.streams().len(), nth);
    }
    // Each on a connection of its own, for each was the last.
    let mut connections: Vec<_> = server.streams().iter().map(|stream| stream.connection).collect();
    connections.dedup();
    assert_eq!(connections.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_a_goaway_cuts_off_is_sent_again_once() {
    const CALLS: usize = 10;
    for _ in 0..full_or(100, 10) {
        let client = client();
        // The last of them brings the goodbye for all but the first.
        let server = Server::start(|order| match order {
            0 => Deed::Answer(200),
            order if order < CALLS => Deed::Hang,
            CALLS => Deed::GoAwayAfterFirst,
            _ => Deed::Answer(200),
        })
        .await;
        // So that there is one connection for all.
        client.get(server.url("/")).bytes().await.expect("an answer");
        let mut calls = JoinSet::new();
        for _ in 0..CALLS {
            let request = client.post(server.url("/")).body("everything");
            calls.spawn(async move { request.bytes().await });
        }
        while let Some(outcome) = calls.join_next().await {
            let body = outcome.expect("no panic").expect("it was not processed");
            assert_eq!(body, BODY);
        }
        assert_eq!(server.streams().len(), 1 + 2 * CALLS);
    }
}

#[tokio::test]
async fn a_length_of_something_else_is_not_missed() {
    let client = client();
    let server = Server::start(|_| Deed::Head).await;
    let response = client.head(server.url("/")).send().await.expect("an answer");
    assert_eq!(response.headers()["content-length"], "7");
    assert_eq!(response.bytes().await.expect("nothing is missing"), "");
    assert_eq!(client.head(server.url("/")).bytes().await.expect("nothing is missing"), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_frames_of_nothing_end_at_the_deadline() {
    let client = client();
    let server = Server::start(|_| Deed::EndlessNothing).await;
    let begin = Instant::now();
    let request = client.post(server.url("/")).body("once").deadline(Duration::from_millis(300));
    let error = request.bytes().await.expect_err("no end");
    assert!(begin.elapsed() < Duration::from_secs(2), "{error}");
    assert_eq!(server.streams().len(), 1, "{error}");
}
