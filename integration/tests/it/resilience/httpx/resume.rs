//! Downloads that are cut, and go on: byte for byte the same entity, or an error.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use testkit::full_or;
use tokio::time::timeout;
use underpin_httpx::{Client, Error};

use crate::resilience::httpx::{
    Random, quick,
    server::{Seen, Server, Step},
    tell,
};

/// Two entities that differ in every byte, so that a splice shows.
fn entity(version: u8, length: usize) -> Arc<Vec<u8>> {
    let mut random = Random(u64::from(version));
    let low = version % 2;
    Arc::new(
        (0..length).map(|_| (u8::try_from(random.below(128)).expect("small") << 1) | low).collect(),
    )
}

/// Where it wants to go on, and the entity that it wants to go on with.
fn range(seen: &Seen) -> Option<(usize, Option<String>)> {
    let range = seen.header("range")?;
    let start = range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()?;
    Some((start, seen.header("if-range")))
}

fn whole(etag: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\naccept-ranges: bytes\r\n{etag}content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend(body);
    bytes
}

fn partial(etag: &str, content_range: &str, body: &[u8]) -> Vec<u8> {
    let range = if content_range.is_empty() {
        String::new()
    } else {
        format!("content-range: {content_range}\r\n")
    };
    let mut bytes = format!(
        "HTTP/1.1 206 Partial Content\r\n{etag}{range}content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend(body);
    bytes
}

/// The same, without a length.
fn in_chunks(content_range: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 206 Partial Content\r\n{ETAG}content-range: {content_range}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend(body);
    bytes.extend(b"\r\n0\r\n\r\n");
    bytes
}

async fn download(client: &Client, server: &Server) -> Result<Vec<u8>, Error> {
    let mut response = client.get(server.url("/export.bin")).resume().send().await?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend(chunk);
    }
    Ok(body)
}

/// After so many bytes of an answer's body.
fn cut(mut bytes: Vec<u8>, after: usize) -> Vec<Step> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    if bytes.len() <= head + after {
        return vec![Step::Send(bytes)];
    }
    bytes.truncate(head + after);
    vec![Step::Send(bytes), Step::Fin]
}

#[tokio::test]
async fn a_download_that_is_cut_again_and_again_is_whole_in_the_end() {
    let client = quick().max_body(usize::MAX).build().expect("a client");
    let length = full_or(64 << 20, 4 << 20);
    let every = length / 20 + 7;
    let entity = entity(1, length);
    let sent = Arc::new(AtomicUsize::new(0));
    let (original, count) = (Arc::clone(&entity), Arc::clone(&sent));
    let server = Server::start(move |_| {
        let (entity, count) = (Arc::clone(&original), Arc::clone(&count));
        vec![
            Step::READ,
            Step::then(move |seen| {
                let etag = "etag: \"one\"\r\n";
                let bytes = match range(seen) {
                    None => whole(etag, &entity),
                    Some((start, if_range)) => {
                        assert_eq!(if_range.as_deref(), Some("\"one\""));
                        let range = format!("bytes {start}-{}/{}", entity.len() - 1, entity.len());
                        partial(etag, &range, &entity[start..])
                    }
                };
                count.fetch_add(every.min(bytes.len()), Ordering::SeqCst);
                cut(bytes, every)
            }),
        ]
    })
    .await;
    let body = download(&client, &server).await.expect("the end");
    assert!(body == *entity, "{} of {length} bytes", body.len());
    let (requests, sent) = (server.seen().len(), sent.load(Ordering::SeqCst));
    tell(&format!("{length} bytes in {requests} pieces, {sent} sent"));
    assert_eq!(requests, 20);
    assert!(
        server
            .seen()
            .iter()
            .all(|seen| seen.header("accept-encoding").is_none_or(|value| value == "identity"))
    );
}

#[tokio::test]
async fn a_download_that_makes_no_progress_ends() {
    let client = quick().build().expect("a client");
    let entity = entity(1, 1000);
    let server = Server::start(move |_| {
        let entity = Arc::clone(&entity);
        vec![
            Step::READ,
            Step::then(move |seen| match range(seen) {
                None => cut(whole("etag: \"one\"\r\n", &entity), 500),
                Some((start, _)) => cut(
                    partial(
                        "etag: \"one\"\r\n",
                        &format!("bytes {start}-999/1000"),
                        &entity[start..],
                    ),
                    0,
                ),
            }),
        ]
    })
    .await;
    let error = download(&client, &server).await.expect_err("no end");
    assert!(server.seen().len() <= 10, "{}: {error}", server.seen().len());
}

/// How a server answers the request to go on at 500 of 1000 bytes, and whether that can be the end of the same entity.
type Lie = (&'static str, Expect, fn(usize, &[u8], &[u8]) -> Vec<u8>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// What follows is what it was asked for.
    Whole,
    /// It cannot be told to be the same.
    Error,
}

const ETAG: &str = "etag: \"one\"\r\n";

/// Its arguments: where to start, the entity that was begun, and another.
const LIES: [Lie; 24] = [
    ("the truth", Expect::Whole, |start, one, _| {
        partial(ETAG, &format!("bytes {start}-999/1000"), &one[start..])
    }),
    ("a total that is not said", Expect::Whole, |start, one, _| {
        partial(ETAG, &format!("bytes {start}-999/*"), &one[start..])
    }),
    ("a whole other entity", Expect::Error, |_, _, two| whole("etag: \"two\"\r\n", two)),
    ("the whole entity", Expect::Error, |_, one, _| whole(ETAG, one)),
    ("a whole without a name", Expect::Error, |_, _, two| whole("", two)),
    ("the rest of another entity", Expect::Error, |start, _, two| {
        partial("etag: \"two\"\r\n", &format!("bytes {start}-999/1000"), &two[start..])
    }),
    ("a weak name", Expect::Error, |start, _, two| {
        partial("etag: W/\"one\"\r\n", &format!("bytes {start}-999/1000"), &two[start..])
    }),
    ("another start", Expect::Error, |start, one, _| {
        partial(ETAG, &format!("bytes {}-999/1000", start + 1), &one[start + 1..])
    }),
    ("a start before", Expect::Error, |start, one, _| {
        partial(ETAG, &format!("bytes {}-999/1000", start - 1), &one[start - 1..])
    }),
    ("the start of all", Expect::Error, |_, one, _| partial(ETAG, "bytes 0-999/1000", one)),
    ("a longer entity", Expect::Error, |start, one, _| {
        partial(ETAG, &format!("bytes {start}-999/1001"), &one[start..])
    }),
    ("a shorter entity", Expect::Error, |start, one, _| {
        partial(ETAG, &format!("bytes {start}-899/900"), &one[start..900])
    }),
    ("no range", Expect::Error, |start, one, _| partial(ETAG, "", &one[start..])),
    ("another unit", Expect::Error, |start, one, _| {
        partial(ETAG, &format!("lines {start}-999/1000"), &one[start..])
    }),
    ("a range that is none", Expect::Error, |start, one, _| {
        partial(ETAG, "bytes a-b/c", &one[start..])
    }),
    ("an end before the start", Expect::Error, |start, one, _| {
        partial(ETAG, &format!("bytes {start}-{}/1000", start - 1), &one[start..])
    }),
    ("numbers beyond numbers", Expect::Error, |start, one, _| {
        partial(ETAG, "bytes 500-99999999999999999999999/1000", &one[start..])
    }),
    ("several parts", Expect::Error, |start, one, _| {
        let mut bytes = b"HTTP/1.1 206 Partial Content\r\netag: \"one\"\r\ncontent-type: multipart/byteranges; boundary=x\r\n".to_vec();
        bytes.extend(format!("content-length: {}\r\n\r\n", 1000 - start).as_bytes());
        bytes.extend(&one[start..]);
        bytes
    }),
    ("more than it said", Expect::Error, |start, one, _| {
        partial(ETAG, &format!("bytes {start}-899/1000"), &one[start..])
    }),
    ("the range cannot be", Expect::Error, |_, _, _| {
        b"HTTP/1.1 416 Range Not Satisfiable\r\ncontent-range: bytes */400\r\ncontent-length: 0\r\n\r\n".to_vec()
    }),
    ("it is compressed", Expect::Error, |start, one, _| {
        partial(
            "etag: \"one\"\r\ncontent-encoding: gzip\r\n",
            &format!("bytes {start}-999/1000"),
            &one[start..],
        )
    }),
    ("the rest of another entity, without a name", Expect::Error, |start, _, two| {
        partial("", &format!("bytes {start}-999/1000"), &two[start..])
    }),
    ("less than it said", Expect::Error, |start, one, _| {
        in_chunks(&format!("bytes {start}-999/1000"), &one[start..one.len() - 1])
    }),
    ("more than it said, in chunks", Expect::Error, |start, one, two| {
        in_chunks(&format!("bytes {start}-999/1000"), &[&one[start..], two].concat())
    }),
];

#[tokio::test]
async fn no_lie_of_a_server_makes_a_splice() {
    let client = quick().build().expect("a client");
    let (one, two) = (entity(1, 1000), entity(2, 1000));
    let mut complaints = Vec::new();
    for (name, expect, lie) in LIES {
        let (first, other) = (Arc::clone(&one), Arc::clone(&two));
        let server = Server::start(move |_| {
            let (one, two) = (Arc::clone(&first), Arc::clone(&other));
            vec![
                Step::READ,
                Step::then(move |seen| match range(seen) {
                    None => cut(whole(ETAG, &one), 500),
                    Some((start, _)) => vec![Step::Send(lie(start, &one, &two))],
                }),
            ]
        })
        .await;
        let outcome = download(&client, &server).await;
        let is_spliced = outcome.as_ref().is_ok_and(|body| *body != *one);
        let met = match expect {
            Expect::Whole => outcome.is_ok(),
            Expect::Error => outcome.is_err(),
        };
        if is_spliced || !met {
            let what = outcome.map(|body| format!("{} bytes", body.len()));
            complaints.push(format!("{name}: {what:?}, spliced: {is_spliced}, wanted {expect:?}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[tokio::test]
async fn what_cannot_be_told_apart_is_not_resumed() {
    let client = quick().build().expect("a client");
    for etag in [
        "",
        "etag: W/\"one\"\r\n",
        "etag: one\r\n",
        "last-modified: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
    ] {
        let one = entity(1, 1000);
        let server = Server::start(move |_| {
            let mut steps = vec![Step::READ];
            steps.extend(cut(whole(etag, &one), 500));
            steps
        })
        .await;
        let outcome = download(&client, &server).await;
        assert!(outcome.is_err(), "{etag:?}");
        assert_eq!(server.seen().len(), 1, "{etag:?}");
    }
}

#[tokio::test]
async fn a_cut_at_the_very_end_is_the_end() {
    let client = quick().build().expect("a client");
    let one = entity(1, 1000);
    let original = Arc::clone(&one);
    // Chunked, and all but its last chunk has come: there is nothing left to be asked for.
    let server = Server::start(move |_| {
        let one = Arc::clone(&original);
        vec![
            Step::READ,
            Step::then(move |seen| {
                if range(seen).is_some() {
                    let head = "HTTP/1.1 416 Range Not Satisfiable\r\ncontent-range: bytes */1000\r\n";
                    return vec![Step::send(format!("{head}content-length: 0\r\n\r\n"))];
                }
                let mut bytes = b"HTTP/1.1 200 OK\r\netag: \"one\"\r\ntransfer-encoding: chunked\r\n\r\n3e8\r\n".to_vec();
                bytes.extend(one.iter());
                bytes.extend(b"\r\n");
                vec![Step::Send(bytes), Step::Fin]
            }),
        ]
    })
    .await;
    let body = download(&client, &server).await.expect("all of it");
    assert!(body == *one);
}

/// Servers that choose at random, with a seed that is printed.
#[tokio::test]
async fn random_servers_never_make_a_splice() {
    let client = quick().build().expect("a client");
    let (one, two) = (entity(1, 1000), entity(2, 1000));
    let mut whole_ones = 0;
    let cases = full_or(2_000, 200);
    for seed in 0..cases {
        let (first, other) = (Arc::clone(&one), Arc::clone(&two));
        let server = Server::start(move |turn| {
            let (one, two) = (Arc::clone(&first), Arc::clone(&other));
            let mut random = Random(seed * 1000 + turn.order as u64);
            vec![
                Step::READ,
                Step::then(move |seen| {
                    let (_, _, lie) =
                        LIES[if random.below(2) == 0 { 0 } else { random.below(LIES.len()) }];
                    let after = random.below(1000);
                    match range(seen) {
                        None => cut(whole(ETAG, &one), after),
                        Some((start @ 1..=899, _)) => cut(lie(start, &one, &two), after),
                        Some((start, _)) => cut(
                            partial(ETAG, &format!("bytes {start}-999/1000"), &one[start..]),
                            after,
                        ),
                    }
                }),
            ]
        })
        .await;
        if let Ok(body) = download(&client, &server).await {
            assert!(body == *one, "a splice, with the seed {seed}");
            whole_ones += 1;
        }
    }
    tell(&format!(
        "{whole_ones} of {cases} downloads from random servers were whole, and none was a splice"
    ));
    assert!(whole_ones > cases / 20);
}

/// Somebody who reads in a `select!` drops the future of a piece now and then.
#[tokio::test]
async fn a_piece_that_is_not_waited_for_is_no_end() {
    let client = quick().build().expect("a client");
    for does_resume in [false, true] {
        let one = entity(1, 1000);
        let server = Server::start(move |turn| {
            let mut steps = vec![Step::READ];
            if turn.order == 0 {
                steps.extend(cut(whole(ETAG, &one), 500));
            } else {
                steps.push(Step::Hang);
            }
            steps
        })
        .await;
        let request = client.get(server.url("/"));
        let request = if does_resume { request.resume() } else { request };
        let mut response = request.send().await.expect("a head");
        let (mut read, mut is_ended) = (0, false);
        let mut errors = 0;
        for _ in 0..20 {
            match timeout(Duration::from_millis(50), response.chunk()).await {
                Ok(Ok(Some(piece))) => read += piece.len(),
                Ok(Ok(None)) => is_ended = true,
                Ok(Err(_)) => errors += 1,
                Err(_) => {}
            }
            if is_ended || errors > 0 {
                break;
            }
        }
        assert!(!is_ended, "resumes: {does_resume}: an end after {read} of 1000 bytes");
        assert!(errors > 0, "resumes: {does_resume}");
        let again = response.chunk().await;
        assert!(
            again.is_err(),
            "resumes: {does_resume}: what has broken off has no end: {again:?}"
        );
    }
}
