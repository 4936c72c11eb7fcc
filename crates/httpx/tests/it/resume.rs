//! Downloads that go on where they broke off.

use underpin_httpx::{Budget, Kind, Retry};

use crate::{
    builder, client, millis,
    server::{Seen, Server, Step, answer, broken, ok, raw},
};

const TEXT: &str = "the quick brown fox jumps over the lazy dog, again and again";
const ETAG: &str = "etag: \"v1\"\r\n";

/// Where the request wants to begin.
fn first(seen: &Seen) -> Option<usize> {
    seen.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

/// What is left of the text, cut after so many bytes.
fn rest(seen: &Seen, cut: usize) -> Vec<Step> {
    let Some(first) = first(seen) else { return broken(ETAG, TEXT.len(), &TEXT[..cut]) };
    assert_eq!(seen.header("if-range"), Some("\"v1\""));
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    let (last, end) = (TEXT.len() - 1, TEXT.len().min(first + cut));
    let head = format!(
        "HTTP/1.1 206 Partial\r\n{ETAG}content-range: bytes {first}-{last}/{}\r\ncontent-length: {}\r\n\r\n",
        TEXT.len(),
        TEXT.len() - first
    );
    vec![raw(head), raw(&TEXT[first..end]), Step::Close]
}

#[tokio::test]
async fn a_download_that_is_cut_again_and_again_is_whole() {
    let server = Server::new(|seen| rest(seen, 10)).await;
    let mut whole = Vec::new();
    let length = client(&server).get("x").resume().download_to(&mut whole).await;
    assert_eq!(length.expect("all of it"), TEXT.len() as u64);
    assert_eq!(whole, TEXT.as_bytes());
    let firsts: Vec<_> = server.seen().iter().map(first).collect();
    assert_eq!(firsts, [None, Some(10), Some(20), Some(30), Some(40), Some(50)]);
}

#[tokio::test]
async fn cut_at_every_byte_it_is_whole() {
    for cut in 0..TEXT.len() {
        let server = Server::new(move |seen| match first(seen) {
            None => rest(seen, cut),
            Some(_) => rest(seen, TEXT.len()),
        })
        .await;
        let text = client(&server).get("x").resume().text().await.expect("all of it");
        assert_eq!((&*text, server.count()), (TEXT, 2));
    }
}

#[tokio::test]
async fn a_response_that_resumes_counts_its_attempts() {
    let server = Server::new(|seen| rest(seen, 25)).await;
    let mut response = client(&server).get("x").resume().send().await.expect("a response");
    assert_eq!(response.attempts(), 1);
    while response.chunk().await.expect("a piece").is_some() {}
    assert_eq!((response.attempts(), server.count()), (3, 3));
}

#[tokio::test]
async fn two_versions_are_never_put_together() {
    let total = TEXT.len();
    let last = total - 1;
    let tail = &TEXT[10..];
    let partial = |headers: &str, body: &str| answer(206, headers, body);
    let wrong = [
        // Another version, whole: If-Range has failed.
        answer(200, "etag: \"v2\"\r\n", TEXT),
        // The same version, whole: a server without ranges.
        answer(200, ETAG, TEXT),
        // Another version, in part, from a server without If-Range.
        partial(&format!("etag: \"v2\"\r\ncontent-range: bytes 10-{last}/{total}\r\n"), tail),
        // From elsewhere.
        partial(&format!("{ETAG}content-range: bytes 9-{last}/{total}\r\n"), &TEXT[9..]),
        partial(&format!("{ETAG}content-range: bytes 11-{last}/{total}\r\n"), &TEXT[11..]),
        // Not to the end.
        partial(&format!("{ETAG}content-range: bytes 10-20/{total}\r\n"), &TEXT[10..=20]),
        // Of another length.
        partial(&format!("{ETAG}content-range: bytes 10-{last}/{}\r\n", total + 1), tail),
        partial(&format!("{ETAG}content-range: bytes 10-{total}/{}\r\n", total + 1), tail),
        // The length and the range differ.
        partial(&format!("{ETAG}content-range: bytes 10-{last}/{total}\r\n"), "short"),
        // Of which part is not said.
        partial(ETAG, tail),
        partial(&format!("{ETAG}content-range: lines 10-{last}/{total}\r\n"), tail),
        // Encoded.
        partial(
            &format!("{ETAG}content-encoding: br\r\ncontent-range: bytes 10-{last}/{total}\r\n"),
            tail,
        ),
        // Nothing is left, it says, and that is not so.
        answer(416, &format!("content-range: bytes */{total}\r\n"), ""),
        answer(416, "", ""),
        answer(404, "", ""),
    ];
    for answer in wrong {
        let second = answer.clone();
        let server = Server::new(move |seen| match seen.number {
            1 => broken(ETAG, TEXT.len(), &TEXT[..10]),
            _ => second.clone(),
        })
        .await;
        let mut written = Vec::new();
        let download = client(&server).get("x").resume().download_to(&mut written).await;
        let error = download.expect_err("it does not fit");
        assert_eq!((error.kind(), server.count()), (Kind::Body, 2), "{answer:?}");
        assert_eq!(written, &TEXT.as_bytes()[..10], "{answer:?}");
    }
}

#[tokio::test]
async fn at_the_exact_end_416_is_the_end() {
    // Without a length, the client cannot know that nothing is missing.
    let server = Server::new(|seen| match first(seen) {
        None => {
            let head = format!("HTTP/1.1 200 OK\r\n{ETAG}transfer-encoding: chunked\r\n\r\n");
            vec![raw(head), raw(format!("{:x}\r\n{TEXT}\r\n", TEXT.len())), Step::Close]
        }
        Some(first) => {
            assert_eq!(first, TEXT.len());
            answer(416, &format!("content-range: bytes */{}\r\n", TEXT.len()), "not this")
        }
    })
    .await;
    let text = client(&server).get("x").resume().text().await.expect("all of it");
    assert_eq!((&*text, server.count()), (TEXT, 2));
}

#[tokio::test]
async fn without_a_strong_etag_a_break_is_a_break() {
    for headers in ["", "etag: W/\"v1\"\r\n", "etag: \"v1\"\r\naccept-ranges: none\r\n"] {
        let server = Server::new(move |_| broken(headers, TEXT.len(), &TEXT[..10])).await;
        let error = client(&server).get("x").resume().text().await.expect_err("broken");
        assert_eq!((error.kind(), server.count()), (Kind::Body, 1), "{headers}");
    }
}

#[tokio::test]
async fn going_on_is_a_retry_with_its_limits() {
    // It never gets further than the first piece.
    let server = Server::new(|seen| match first(seen) {
        None => rest(seen, 10),
        Some(_) => vec![Step::Close],
    })
    .await;
    let budget = Budget::ratio(0.0).burst(10);
    let shared = budget.clone();
    let http = builder(&server)
        .retry(Retry::fixed(millis(1)).retries(3))
        .budget(move || shared.clone())
        .build()
        .expect("a client");
    let error = http.get("x").resume().text().await.expect_err("no end");
    assert!(error.is_exhausted());
    assert_eq!((server.count(), budget.balance()), (4, 7));
}

#[tokio::test]
async fn a_failing_status_in_between_is_tried_again() {
    let server = Server::new(|seen| match seen.number {
        1 => broken(ETAG, TEXT.len(), &TEXT[..10]),
        2 => answer(503, "", "later"),
        _ => rest(seen, TEXT.len()),
    })
    .await;
    assert_eq!(client(&server).get("x").resume().text().await.expect("all of it"), TEXT);
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn going_on_that_was_dropped_is_not_an_end() {
    let server = Server::new(|seen| match first(seen) {
        None => rest(seen, 10),
        Some(_) => vec![Step::Hang],
    })
    .await;
    let mut response = client(&server).get("x").resume().send().await.expect("a response");
    response.chunk().await.expect("a piece");
    tokio::select! {
        piece = response.chunk() => panic!("{piece:?}"),
        () = server.wait_for(2) => {}
    }
    assert_eq!(response.chunk().await.expect_err("it broke off").kind(), Kind::Body);
}

#[tokio::test]
async fn what_does_not_break_is_asked_for_once() {
    let server = Server::new(|_| ok("fine")).await;
    assert_eq!(client(&server).get("x").resume().text().await.expect("an answer"), "fine");
    assert_eq!(server.count(), 1);
}
