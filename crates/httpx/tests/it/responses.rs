//! Bodies of responses.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use http_body_util::{BodyExt as _, StreamBody};
use underpin_httpx::{Body, Kind};

use crate::{
    builder, client, millis,
    server::{Server, Step, answer, broken, ok, raw, status},
};

#[tokio::test]
async fn a_body_may_be_as_long_as_it_may_be() {
    let server = Server::new(|_| ok("0123456789")).await;
    let fits = builder(&server).max_body(10).build().expect("a client");
    assert_eq!(fits.get("x").text().await.expect("it fits"), "0123456789");

    let small = builder(&server).max_body(9).build().expect("a client");
    let error = small.get("x").text().await.expect_err("too long");
    assert_eq!((error.kind(), error.attempts()), (Kind::TooLarge, 1));
    let error = small.get("x").send().await.expect("a response").bytes().await;
    assert_eq!(error.expect_err("too long").kind(), Kind::TooLarge);
    // In pieces, it is not kept.
    let mut sink = Vec::new();
    assert_eq!(small.get("x").download_to(&mut sink).await.expect("it is written"), 10);
    assert_eq!(sink, b"0123456789");
}

#[tokio::test]
async fn a_body_without_a_length_is_limited_too() {
    let endless = || {
        let mut steps = vec![raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")];
        for _ in 0..1000 {
            steps.extend([raw("400\r\n"), raw([b'x'; 1024]), raw("\r\n")]);
        }
        steps.push(Step::Hang);
        steps
    };
    let server = Server::new(move |_| endless()).await;
    let http = builder(&server).max_body(100_000).build().expect("a client");
    let error = http.get("x").bytes().await.expect_err("endless");
    assert_eq!((error.kind(), error.attempts()), (Kind::TooLarge, 1));
}

#[cfg(feature = "gzip")]
#[tokio::test]
async fn a_body_is_measured_after_decompression() {
    // 1 MiB of nothing.
    const BOMB: &[u8] = include_bytes!("bomb.gz");
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        BOMB.len()
    );
    let server = Server::new(move |_| vec![raw(head.as_bytes()), raw(BOMB)]).await;
    let http = client(&server);
    assert_eq!(http.get("x").bytes().await.expect("it fits").len(), 1024 * 1024);
    let http = builder(&server).max_body(1024 * 1024 - 1).build().expect("a client");
    assert_eq!(http.get("x").bytes().await.expect_err("too long").kind(), Kind::TooLarge);
}

#[tokio::test]
async fn json_that_does_not_fit_is_not_quoted() {
    let server = Server::new(|_| ok(r#"{"token":"SECRET"}"#)).await;
    let unfit = client(&server).get("x").json::<BTreeMap<String, u8>>().await;
    let error = unfit.expect_err("a text is no number");
    let source = std::error::Error::source(&error).expect("a place").to_string();
    assert_eq!(source, "another type or field than expected, at line 1, column 17");
    assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
}

#[tokio::test]
async fn what_is_not_the_expected_json_is_not_tried_again() {
    let server = Server::new(|_| ok("<html>")).await;
    let error = client(&server).get("x").json::<u8>().await.expect_err("not JSON");
    assert_eq!((error.kind(), error.attempts(), server.count()), (Kind::Decode, 1, 1));
}

#[tokio::test]
async fn an_error_keeps_the_beginning_of_the_body() {
    let long = "x".repeat(100_000);
    let server = Server::new(move |_| answer(400, "", &long)).await;
    let error = client(&server).get("x").json::<u8>().await.expect_err("400");
    assert_eq!(error.body_prefix(), "x".repeat(4096).as_bytes());
    let stuck = vec![raw("HTTP/1.1 400 Bad\r\ncontent-length: 9\r\n\r\nhalf"), Step::Hang];
    let server = Server::new(move |_| stuck.clone()).await;
    let error = client(&server).get("x").json::<u8>().await.expect_err("400");
    assert_eq!((error.kind(), error.body_prefix()), (Kind::Status, &b"half"[..]));
}

#[tokio::test]
async fn a_failed_response_that_is_returned_is_whole() {
    let long = "y".repeat(200_000);
    let body = long.clone();
    let server = Server::new(move |_| answer(500, "", &body)).await;
    let mut response = client(&server).get("x").send().await.expect("a response");
    let mut read = Vec::new();
    while let Some(piece) = response.chunk().await.expect("a piece") {
        read.extend_from_slice(&piece);
    }
    assert_eq!(read, long.as_bytes());
}

#[tokio::test]
async fn a_body_can_be_passed_on_and_keeps_its_limits() {
    let server = Server::script(vec![ok("through"), broken("", 9, "half")]).await;
    let http = client(&server);
    let body = http.get("a").send().await.expect("a response").into_body();
    assert_eq!(body.collect().await.expect("a body").to_bytes(), "through");

    let mut body = http.get("b").send().await.expect("a response").into_body();
    let first = body.frame().await.expect("a frame").expect("a piece");
    assert_eq!(first.into_data().expect("data"), "half");
    let error = body.frame().await.expect("a frame").expect_err("broken");
    assert_eq!(error.kind(), Kind::Body);
    assert!(body.frame().await.is_none());

    let through = http.get("c").send().await.expect("a response").into_body();
    http.put("d").body(Body::once(through)).send().await.expect("a response");
    assert!(server.seen()[3].body.contains("fine"));
}

#[tokio::test]
async fn a_body_that_is_made_again_is_sent_again() {
    let server = Server::script(vec![status(500), vec![Step::Close]]).await;
    let made = Arc::new(AtomicUsize::new(0));
    let count = made.clone();
    let body = Body::replay(move || {
        let number = count.fetch_add(1, Relaxed);
        http_body_util::Full::<bytes::Bytes>::from(format!("body {number}"))
    });
    client(&server).put("x").body(body).send().await.expect("a response");
    let bodies: Vec<_> = server.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, ["body 0", "body 1", "body 2"]);
}

#[tokio::test]
async fn a_body_that_can_be_sent_once_is_sent_once() {
    let server = Server::new(|_| status(503)).await;
    let pieces = ["one ", "two"].map(|piece| {
        Ok::<_, std::io::Error>(http_body::Frame::data(bytes::Bytes::from_static(piece.as_bytes())))
    });
    let body = Body::once(StreamBody::new(Pieces(pieces.into_iter().collect())));
    let response = client(&server).put("x").body(body).send().await.expect("a response");
    assert_eq!((response.status().as_u16(), response.attempts()), (503, 1));
    assert!(!response.is_exhausted());
    assert_eq!(server.count(), 1);
    assert!(server.seen()[0].body.contains("two"));
}

#[tokio::test]
async fn a_body_that_can_be_sent_once_outlasts_attempts_without_a_connection() {
    let server = Server::new(|_| ok("fine")).await;
    let late = Arc::new(Late { address: server.address, asked: AtomicUsize::new(0) });
    let http = builder(&server).configure(|http| http.dns_resolver(late.clone()));
    let http = http.build().expect("a client");
    let pieces = ["one ", "two"].map(|piece| {
        Ok::<_, std::io::Error>(http_body::Frame::data(bytes::Bytes::from_static(piece.as_bytes())))
    });
    let body = Body::once(StreamBody::new(Pieces(pieces.into_iter().collect())));
    let url = format!("http://late.example:{}/", server.address.port());
    let response = http.post(url).body(body).send().await.expect("a response");
    assert_eq!((response.attempts(), late.asked.load(Relaxed)), (3, 3));
    assert_eq!(server.count(), 1);
    let body = server.seen()[0].body.clone();
    assert!(body.contains("one ") && body.contains("two"), "{body}");
}

/// Knows the address the third time it is asked.
struct Late {
    address: SocketAddr,
    asked: AtomicUsize,
}

impl reqwest::dns::Resolve for Late {
    fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let is_known = self.asked.fetch_add(1, Relaxed) >= 2;
        let address = self.address;
        Box::pin(async move {
            let known = is_known.then_some(address).ok_or("unknown")?;
            Ok(Box::new(std::iter::once(known)) as reqwest::dns::Addrs)
        })
    }
}

#[tokio::test]
async fn a_writer_that_fails_is_named() {
    let server = Server::new(|_| ok("0123456789")).await;
    let mut small = [0; 4];
    let error = client(&server).get("x").download_to(std::io::Cursor::new(&mut small[..])).await;
    let error = error.expect_err("no room");
    assert_eq!(error.kind(), Kind::Write);
    assert_eq!(&small, b"0123");
}

#[tokio::test]
async fn a_writer_that_hangs_has_a_deadline() {
    let server = Server::new(|_| ok(&"x".repeat(100_000))).await;
    let (writer, _reader) = tokio::io::duplex(16);
    let request = client(&server).get("x").attempt_timeout(millis(100));
    let error = request.download_to(writer).await.expect_err("nobody reads");
    assert_eq!(error.kind(), Kind::Timeout);
}

/// A stream that is there.
struct Pieces<T>(std::collections::VecDeque<T>);

impl<T: Unpin> futures_core::Stream for Pieces<T> {
    type Item = T;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<T>> {
        std::task::Poll::Ready(self.0.pop_front())
    }
}
