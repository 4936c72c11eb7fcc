//! Limits of time.

use std::{net::SocketAddr, time::Instant};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};
use underpin_httpx::{Disposition, Kind, Retry};

use crate::{
    builder, millis, secs,
    server::{Server, Step, answer, raw, status},
};

/// Generous, for a machine that is busy.
const SLACK: std::time::Duration = millis(500);

fn trickle() -> Vec<Step> {
    let mut steps = vec![raw("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")];
    for _ in 0..1000 {
        steps.extend([raw("x"), Step::Wait(millis(5))]);
    }
    steps
}

#[tokio::test]
async fn an_attempt_that_hangs_is_cut_short_and_tried_again() {
    let server = Server::script(vec![vec![Step::Hang]]).await;
    let http = builder(&server).attempt_timeout(millis(50)).build().expect("a client");
    let response = http.get("x").send().await.expect("a response");
    assert_eq!(response.attempts(), 2);
    assert!(response.elapsed() >= millis(50));
}

#[tokio::test]
async fn a_post_that_hangs_is_not_tried_again() {
    let server = Server::new(|_| vec![Step::Hang]).await;
    let http = builder(&server).attempt_timeout(millis(50)).build().expect("a client");
    let error = http.post("x").body("1").send().await.expect_err("it hangs");
    assert_eq!((error.kind(), error.disposition()), (Kind::Timeout, Disposition::Unknown));
    assert!(error.is_timeout() && !error.is_exhausted());
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn slow_body_times_out() {
    let server = Server::new(|_| trickle()).await;
    let http = builder(&server).attempt_timeout(millis(60)).build().expect("a client");
    let began = Instant::now();
    let error = http.get("x").no_retry().text().await.expect_err("too slow");
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(began.elapsed() >= millis(60) && began.elapsed() < millis(60) + SLACK);
}

#[tokio::test]
async fn the_deadline_covers_attempts_waits_and_bodies() {
    let server = Server::new(|_| trickle()).await;
    let http = builder(&server)
        .deadline(millis(200))
        .attempt_timeout(millis(60))
        .retry(Retry::fixed(millis(10)).retries(100))
        .build()
        .expect("a client");
    let began = Instant::now();
    let error = http.get("x").text().await.expect_err("too slow");
    assert!(error.is_timeout() && error.is_exhausted());
    assert!((2..=4).contains(&error.attempts()), "{error}");
    assert!(began.elapsed() < millis(200) + SLACK);
}

#[tokio::test]
async fn a_streamed_body_ends_with_the_deadline() {
    let server = Server::new(|_| trickle()).await;
    let http = builder(&server).deadline(millis(80)).build().expect("a client");
    let began = Instant::now();
    let mut response = http.get("x").send().await.expect("a response");
    let error = loop {
        match response.chunk().await {
            Ok(piece) => assert!(piece.is_some(), "it does not end"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(began.elapsed() >= millis(80) && began.elapsed() < millis(80) + SLACK);
}

#[tokio::test]
async fn a_body_that_stands_still_is_given_up() {
    let stuck = vec![raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"), Step::Hang];
    let server = Server::script(vec![stuck]).await;
    let http = builder(&server).read_timeout(millis(40)).build().expect("a client");
    let began = Instant::now();
    assert_eq!(http.get("x").text().await.expect("the second"), "fine");
    assert!(began.elapsed() < secs(5));
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_retry_that_cannot_fit_is_not_waited_for() {
    let server = Server::new(|_| status(500)).await;
    let http = builder(&server)
        .deadline(secs(20))
        .retry(Retry::fixed(secs(30)))
        .build()
        .expect("a client");
    let response = http.get("x").send().await.expect("a response");
    assert!(response.is_exhausted());
    assert!(response.elapsed() < secs(5));
}

#[tokio::test]
async fn a_wait_that_the_server_asks_for_is_never_shortened() {
    let server = Server::new(|_| answer(429, "retry-after: 30\r\n", "")).await;
    let http = builder(&server).build().expect("a client");
    let response = http.get("x").send().await.expect("a response");
    assert_eq!((response.attempts(), response.retry_after()), (1, Some(secs(30))));
    assert!(response.is_exhausted());
    assert!(response.elapsed() < secs(5));
    let error = response.text().await.expect_err("429");
    assert_eq!(error.retry_after(), Some(secs(30)));
}

/// An address where connections are neither accepted nor refused, as long as these live.
async fn full() -> (SocketAddr, (TcpListener, Vec<TcpStream>)) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let listener = socket.listen(1).expect("a listener");
    let address = listener.local_addr().expect("an address");
    let mut waiting = Vec::new();
    // Nobody accepts, and the backlog is full after a few.
    while let Ok(stream) = timeout(millis(100), TcpStream::connect(address)).await {
        waiting.push(stream.expect("a connection"));
    }
    (address, (listener, waiting))
}

#[tokio::test]
async fn several_addresses_share_the_time_to_connect() {
    let (address, _full) = full().await;
    let server = Server::new(|_| status(200)).await;
    let http = builder(&server)
        .connect_timeout(millis(400))
        .configure(|http| http.resolve_to_addrs("slow.example", &[address, address, address]))
        .build()
        .expect("a client");
    let began = Instant::now();
    let url = format!("http://slow.example:{}/", address.port());
    let error = http.get(url).no_retry().send().await.expect_err("no connection");
    assert!(error.is_connect() && error.is_timeout());
    assert!(began.elapsed() >= millis(350) && began.elapsed() < millis(750), "{began:?}");
}

#[tokio::test]
async fn connecting_has_a_limit_of_its_own_and_has_sent_nothing() {
    let (address, _full) = full().await;
    let server = Server::new(|_| status(200)).await;
    let http = builder(&server).connect_timeout(millis(50)).build().expect("a client");
    let error = http.post(format!("http://{address}/")).send().await.expect_err("no connection");
    assert_eq!((error.kind(), error.disposition()), (Kind::Connect, Disposition::NotSent));
    assert!(error.is_timeout());
    assert_eq!(error.attempts(), 4);
}

#[tokio::test]
async fn no_time_at_all_sends_nothing() {
    let server = Server::new(|_| status(200)).await;
    let http = builder(&server).build().expect("a client");
    let error = http.get("x").deadline(secs(0)).send().await.expect_err("no time");
    assert_eq!((error.kind(), error.disposition()), (Kind::Timeout, Disposition::NotSent));
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_time_without_end_is_one() {
    let server = Server::new(|_| status(200)).await;
    let http = builder(&server)
        .deadline(std::time::Duration::MAX)
        .attempt_timeout(std::time::Duration::MAX)
        .read_timeout(std::time::Duration::MAX)
        .build()
        .expect("a client");
    assert_eq!(http.get("x").text().await.expect("an answer"), "oops");
}
