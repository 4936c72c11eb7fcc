//! Redirects that lead nowhere, answers that come too early, heads that are none, bombs, and requests that must never leave.

use std::{io, time::Duration};

use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use reqwest::Method;
use tokio::time::Instant;
use underpin_httpx::{Body, Client, Disposition, Kind};

use crate::resilience::httpx::{
    Dead, PATIENCE, answer, answered, quick,
    server::{Seen, Server, Step},
};

fn client() -> Client {
    quick().build().expect("a client")
}

fn redirect(status: u16, to: &str) -> Vec<Step> {
    answered(status, &format!("location: {to}\r\n"), "")
}

#[tokio::test]
async fn a_redirect_changes_the_method_as_its_status_says() {
    let client = client();
    for (status, method, keeps_body) in [
        (301, "GET", false),
        (302, "GET", false),
        (303, "GET", false),
        (307, "POST", true),
        (308, "POST", true),
    ] {
        let target = Server::start(|_| answered(200, "", "there")).await;
        let to = target.url("/there");
        let server = Server::start(move |_| redirect(status, &to)).await;
        let body =
            client.post(server.url("/")).body("everything").bytes().await.expect("an answer");
        assert_eq!(body, "there", "{status}");
        let seen = target.seen();
        assert_eq!((seen.len(), server.seen().len()), (1, 1), "{status}");
        assert_eq!(
            (seen[0].method(), seen[0].target()),
            (method.to_owned(), "/there".to_owned()),
            "{status}"
        );
        let sent = if keeps_body { "everything" } else { "" };
        assert_eq!(seen[0].body(), Some(sent.into()), "{status}");
    }
}

#[tokio::test]
async fn a_post_whose_redirect_leads_to_a_dead_host_is_not_sent_again() {
    let client = client();
    for status in [301, 302, 303, 307, 308] {
        let dead = Dead::new();
        let to = dead.url();
        let server = Server::start(move |_| redirect(status, &to)).await;
        let outcome = client.post(server.url("/")).body("everything").bytes().await;
        let error = outcome.expect_err("nobody is there");
        assert_eq!(server.complete().len(), 1, "{status}: {error}");
        assert_ne!(error.disposition(), Disposition::NotSent, "{status}: the first hop was sent");
        // The same with a key: as often as may be, and always with it.
        let outcome =
            client.post(server.url("/")).body("everything").idempotency_key("k").bytes().await;
        let error = outcome.expect_err("nobody is there");
        let keys: Vec<_> = server.complete().iter().skip(1).map(Seen::key).collect();
        assert_eq!(keys.len(), error.attempts() as usize, "{status}");
        assert!(keys.iter().all(|key| key.is_some() && *key == keys[0]), "{status}: {keys:?}");
    }
}

#[tokio::test]
async fn a_loop_of_redirects_is_final() {
    let client = client();
    let server = Server::start(|turn| redirect(307, &format!("/{}", turn.order % 2))).await;
    let error = client.get(server.url("/")).bytes().await.expect_err("a loop");
    assert_eq!(error.disposition(), Disposition::Final, "{error}");
    assert_eq!(error.attempts(), 1);
    assert!(server.seen().len() <= 11, "{} hops", server.seen().len());
}

#[tokio::test]
async fn no_redirect_takes_credentials_to_another_host() {
    let client = client();
    for status in [301, 302, 303, 307, 308] {
        let target = Server::start(|_| answered(200, "", "there")).await;
        let to = target.url("/there");
        let server = Server::start(move |_| redirect(status, &to)).await;
        let url = server.url("/?token=s3cret#s3cret").replace("http://", "http://s3cret:s3cret@");
        let request = client.get(url).bearer("s3cret").header("cookie", "s3cret=1");
        request.bytes().await.expect("an answer");
        assert!(server.seen()[0].header("authorization").is_some(), "{status}");
        let raw = String::from_utf8_lossy(&target.seen()[0].raw).into_owned();
        assert!(!raw.contains("s3cret"), "{status}: {raw}");
    }
}

#[tokio::test]
async fn informational_answers_are_not_the_answer() {
    let client = client();
    for head in ["100 Continue", "103 Early Hints", "102 Processing"] {
        for many in [1, 20] {
            let server = Server::start(move |_| {
                let head = format!("HTTP/1.1 {head}\r\nx-early: yes\r\n\r\n").repeat(many);
                vec![
                    Step::Read(10),
                    Step::send(head),
                    Step::READ,
                    Step::Send(answer(200, "", "at last")),
                ]
            })
            .await;
            let request = client.post(server.url("/")).header("expect", "100-continue");
            let body = request.body("everything").bytes().await.expect("an answer");
            assert_eq!(body, "at last", "{many} times {head}");
            assert_eq!(server.complete().len(), 1);
            assert_eq!(server.complete()[0].body(), Some("everything".into()));
        }
    }
}

/// The server has decided before it has read the body: a 413, or a 200 of somebody who does not care.
#[tokio::test]
async fn an_early_answer_doubles_nothing() {
    let client = client();
    let large = vec![b'x'; 4 << 20];
    for status in [200, 413, 500, 503] {
        for end in ["keep", "fin", "reset"] {
            let server = Server::start(move |_| {
                let mut steps = vec![Step::Read(200), Step::Send(answer(status, "", "enough"))];
                match end {
                    "keep" => steps.push(Step::READ),
                    "fin" => steps.push(Step::Fin),
                    _ => steps.push(Step::Reset),
                }
                steps
            })
            .await;
            let begin = Instant::now();
            let outcome = client.post(server.url("/")).body(large.clone()).send().await;
            // A reset may overtake the answer; whatever was heard, nothing is sent again.
            if let Ok(response) = &outcome {
                assert_eq!(response.status(), status, "{end}");
            }
            assert_eq!(server.seen().len(), 1, "{status}, {end}: {outcome:?}");
            assert!(begin.elapsed() < PATIENCE, "{status}, {end}");
        }
    }
}

#[tokio::test]
async fn what_is_no_http_is_an_error_and_doubles_nothing() {
    let client = client();
    let heads: [&[u8]; 14] = [
        b"",
        b"\r\n\r\n",
        b"hello\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: ten\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: no name\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: \x00\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    ];
    for head in heads {
        let server = Server::start(move |_| vec![Step::READ, Step::send(head), Step::Fin]).await;
        let name = String::from_utf8_lossy(head).into_owned();
        let outcome = client.post(server.url("/")).body("once").bytes().await;
        assert!(outcome.is_err(), "{name:?}: {outcome:?}");
        assert_eq!(server.seen().len(), 1, "{name:?}");
        let outcome = client.get(server.url("/")).bytes().await;
        assert!(outcome.is_err(), "{name:?}: {outcome:?}");
        assert!(server.seen().len() <= 5, "{name:?}");
    }
}

/// What comes after the answer belongs to nobody, least of all to the next request.
#[tokio::test]
async fn bytes_behind_an_answer_are_not_the_next_answer() {
    let client = client();
    let server = Server::start(|_| {
        let mut bytes = answer(200, "", "mine");
        bytes.extend(answer(200, "", "smuggled"));
        vec![Step::READ, Step::Send(bytes)]
    })
    .await;
    for _ in 0..20 {
        let body = client.get(server.url("/")).bytes().await.expect("an answer");
        assert_eq!(body, "mine");
    }
}

#[tokio::test]
async fn requests_that_cannot_be_sent_are_never_sent() {
    let client = client();
    let server = Server::start(|_| answered(200, "", "")).await;
    let url = server.url("/");
    let headers = [
        ("x-one", "a\r\nx-two: b"),
        ("x-one", "a\nb"),
        ("x-one", "a\0b"),
        ("x one", "a"),
        ("x-one: b\r\nx-two", "a"),
        ("", "a"),
        ("x-é", "a"),
    ];
    for (name, value) in headers {
        let error = client.get(&url).header(name, value).send().await.expect_err(value);
        assert!(error.kind() == Kind::Request, "{name:?}: {value:?}: {error}");
        assert_eq!(error.disposition(), Disposition::Final);
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    for key in ["a\r\nb: c", "a\0", "é"] {
        let error = client.post(&url).idempotency_key(key).send().await.expect_err(key);
        assert!(error.kind() == Kind::Request, "{key:?}: {error}");
    }
    assert!(
        client.get(&url).bearer("a\r\nb: c").send().await.expect_err("a break").kind()
            == Kind::Request
    );
    assert_eq!(server.seen().len(), 0);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn urls_that_are_none_are_errors_of_the_request() {
    let client = client();
    let long = format!("http://{}/", "a".repeat(100_000));
    let urls = [
        "",
        " ",
        "/",
        "users/42",
        "http://",
        "http:///",
        "://x",
        "http://[::1",
        "http://a b/",
        "http://x:99999/",
        "http://x:-1/",
        "ftp://localhost/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:,hello",
        "unix:/run/x",
        "http://\0/",
        "http://%00/",
        "http://256.256.256.256/",
        &long,
    ];
    for url in urls {
        let begin = Instant::now();
        let outcome = client.get(url).send().await;
        let error = outcome.expect_err(url);
        assert_eq!(error.attempts(), u32::from(error.attempts() > 0), "{url:.40}: {error}");
        assert!(begin.elapsed() < PATIENCE, "{url:.40}");
    }
    for base in
        ["", "example.com", "/v1/", "mailto:a@b", "http://", "http://a b/", "ftp://example.com/"]
    {
        assert!(quick().base_url(base).build().is_err(), "{base:?}");
    }
}

#[tokio::test]
async fn no_url_leads_away_from_the_base() {
    let server = Server::start(|_| answered(200, "", "")).await;
    let http = quick().base_url(server.url("/v1/")).build().expect("a client");
    for (path, target) in [
        ("users/42", "/v1/users/42"),
        ("", "/v1/"),
        ("a%0d%0ab", "/v1/a%0d%0ab"),
        ("a b", "/v1/a%20b"),
        ("?q=1", "/v1/?q=1"),
    ] {
        server.forget();
        http.get(path).send().await.expect("an answer");
        assert_eq!(server.seen()[0].target(), target, "{path:?}");
    }
    server.forget();
    http.get("x").query(&[("a", "1\r\nb: c"), ("d", "é&=")]).send().await.expect("an answer");
    assert_eq!(server.seen()[0].target(), "/v1/x?a=1%0D%0Ab%3A+c&d=%C3%A9%26%3D");
    assert_eq!(server.seen()[0].header("b"), None);
}

/// No one can tell how much of a stream was read, so it is read once.
#[tokio::test]
async fn a_one_shot_body_is_sent_once() {
    let client = client();
    let server = Server::start(|_| answered(503, "retry-after: 0\r\n", "")).await;
    let chunks = || {
        let frames =
            ["ever", "ything"].map(|part| Ok::<_, io::Error>(Frame::data(part.as_bytes())));
        StreamBody::new(stream::iter(frames))
    };
    let response =
        client.put(server.url("/")).body(Body::once(chunks())).send().await.expect("an answer");
    assert_eq!((response.status().as_u16(), response.attempts()), (503, 1));
    assert_eq!(server.complete()[0].body(), Some("everything".into()));
    // One that can be made again is.
    server.forget();
    let response =
        client.put(server.url("/")).body(Body::replay(chunks)).send().await.expect("an answer");
    assert_eq!((response.status().as_u16(), response.attempts()), (503, 4));
    let bodies: Vec<_> = server.complete().iter().filter_map(Seen::body).collect();
    assert_eq!(bodies, vec![b"everything".to_vec(); 4]);
}

/// The server has sent a thousandth of what it makes of the client's memory.
#[tokio::test]
async fn a_bomb_stops_at_the_cap() {
    let client = quick().max_body(1 << 20).build().expect("a client");
    let bomb = gzip_of_zeros(64 << 20);
    let sent = bomb.len();
    assert!(sent < 1 << 20, "{sent}");
    let server = Server::start(move |_| {
        let mut bytes =
            format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {sent}\r\n\r\n")
                .into_bytes();
        bytes.extend(&bomb);
        vec![Step::READ, Step::Send(bytes)]
    })
    .await;
    let begin = Instant::now();
    let error = client.get(server.url("/")).bytes().await.expect_err("a cap");
    assert!(begin.elapsed() < Duration::from_secs(5), "{error}");
    assert_eq!(server.seen().len(), 1, "{error}");
}

/// Zeros, as gzip with a fixed code: one of them, then copies of 258.
fn gzip_of_zeros(zeros: usize) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut word, mut bits) = (0_u64, 0);
    let mut push = |value: u64, count: u32, bytes: &mut Vec<u8>| {
        word |= value << bits;
        bits += count;
        while bits >= 8 {
            bytes.push(u8::try_from(word & 0xff).expect("a byte"));
            word >>= 8;
            bits -= 8;
        }
    };
    // The last block, with the fixed code.
    push(0b011, 3, &mut bytes);
    // The literal 0.
    push(u64::from(0b0011_0000_u8.reverse_bits()), 8, &mut bytes);
    for _ in 0..zeros / 258 {
        // The length 258, and the distance 1.
        push(u64::from(0b1100_0101_u8.reverse_bits()), 8, &mut bytes);
        push(0, 5, &mut bytes);
    }
    // The end of the block; the checksum is missing.
    push(0, 7 + 8, &mut bytes);
    bytes
}

/// What an operator reads, or sends to somebody else, has no secrets in it.
#[tokio::test]
async fn no_error_tells_a_secret() {
    let client = quick().build().expect("a client");
    let dead = Dead::new();
    let to = dead.url();
    let server = Server::start(move |turn| match turn.order % 5 {
        0 => vec![Step::READ, Step::Reset],
        1 => answered(404, "", "s3cret"),
        2 => redirect(307, &format!("{to}?token=s3cret")),
        3 => answered(200, "", "{\"s3cret\""),
        _ => redirect(307, "ftp://s3cret:s3cret@localhost/?s3cret"),
    })
    .await;
    let secret = |url: String| {
        format!("{url}?token=s3cret#s3cret").replace("http://", "http://s3cret:s3cret@")
    };
    let urls = [
        secret(server.url("/")),
        secret(server.url("/")),
        secret(server.url("/")),
        secret(server.url("/")),
        secret(server.url("/")),
        secret(dead.url()),
        "http://s3cret:s3cret@a b/".to_owned(),
        "s3cret".to_owned(),
        "ftp://s3cret@localhost/?s3cret".to_owned(),
        "http://s3cret.invalid:99999/".to_owned(),
    ];
    for url in urls {
        let request = client.post(&url).bearer("s3cret").header("x-key", "s3cret").body("s3cret");
        let debug = format!("{request:?}");
        let error = request.json::<u32>().await.expect_err(&url);
        let mut told = vec![debug, error.to_string(), format!("{error:?}"), format!("{error:#?}")];
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            told.extend([cause.to_string(), format!("{cause:?}")]);
            source = cause.source();
        }
        for text in told {
            assert!(!text.contains("s3cret"), "{url}: {text}");
        }
    }
    for error in [
        client
            .get(server.url("/"))
            .header("x-key", "s3cret\r\n")
            .send()
            .await
            .expect_err("a break"),
        client.get(server.url("/")).header("s3cret\r\n", "a").send().await.expect_err("a break"),
        client.get(server.url("/")).bearer("s3cret\n").send().await.expect_err("a break"),
        client.get(server.url("/")).idempotency_key("s3cret\n").send().await.expect_err("a break"),
    ] {
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
}

/// The answer to HEAD, and a 304, announce the length of something else.
#[tokio::test]
async fn an_announced_length_that_is_of_something_else_is_not_missed() {
    let client = client();
    for (method, head) in [
        (Method::HEAD, "200 OK\r\ncontent-length: 7"),
        (Method::GET, "304 Not Modified\r\ncontent-length: 7"),
        (Method::GET, "204 No Content"),
    ] {
        let server = Server::start(move |_| {
            vec![Step::READ, Step::send(format!("HTTP/1.1 {head}\r\n\r\n"))]
        })
        .await;
        for _ in 0..2 {
            let body = client.request(method.clone(), server.url("/")).bytes().await;
            assert_eq!(body.expect("nothing is missing"), "", "{method} {head}");
        }
        assert_eq!(server.connections(), 1, "{method} {head}: it can be used again");
    }
}

/// What is compressed has an end of its own, and a length that is not that of the text.
#[tokio::test]
async fn a_compressed_body_that_is_cut_is_an_error() {
    let client = client();
    let whole = gzip_of_zeros(100_000);
    for (at, is_chunked) in (0..whole.len()).step_by(7).flat_map(|at| [(at, false), (at, true)]) {
        let part = whole[..at].to_vec();
        let server = Server::start(move |_| {
            let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n";
            let mut bytes = if is_chunked {
                format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n", part.len())
            } else {
                format!("{head}content-length: {}\r\n\r\n", part.len())
            }
            .into_bytes();
            bytes.extend(&part);
            if is_chunked {
                bytes.extend(if part.is_empty() { b"\r\n".as_slice() } else { b"\r\n0\r\n\r\n" });
            }
            vec![Step::READ, Step::Send(bytes)]
        })
        .await;
        let outcome = client.post(server.url("/")).bytes().await;
        // Of nothing at all, nothing is made.
        let is_right = outcome.as_ref().map_or(true, |body| at == 0 && body.is_empty());
        assert!(is_right, "{at} of {} bytes, chunked: {is_chunked}: {outcome:?}", whole.len());
    }
}
