//! Servers that take their time, say nothing, or never stop.

use std::time::Duration;

use testkit::full_or;
#[cfg(target_os = "linux")]
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use underpin_httpx::{Builder, Client, Disposition, Error};

use crate::resilience::httpx::{
    Dead, PATIENCE, answer, quick,
    server::{Server, Step},
};

/// One byte each, which keeps any limit between two bytes content.
const PAUSE: Duration = Duration::from_millis(50);

const DEADLINE: Duration = Duration::from_millis(300);

/// What a busy machine may add. The figure for a quiet one is that of the seeded faults.
const SLACK: Duration = Duration::from_secs(2);

/// The ways to be slow, each without an end of its own before the deadline.
const WAYS: [&str; 7] = [
    "silent",
    "trickled head",
    "endless head",
    "endless informational heads",
    "silent body",
    "trickled body",
    "trickled chunks",
];

fn steps(way: &str) -> Vec<Step> {
    let whole =
        answer(200, "", "\"an answer that takes all the time in the world, and some more\"");
    let mut steps = vec![Step::READ];
    match way {
        "silent" => steps.push(Step::Hang),
        "trickled head" => steps.push(Step::Trickle(whole, PAUSE)),
        "endless head" => {
            steps.push(Step::send("HTTP/1.1 200 OK\r\n"));
            steps.push(Step::Trickle(b"x-more: y\r\n".repeat(100), PAUSE));
        }
        "endless informational heads" => {
            steps.push(Step::Trickle(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100), PAUSE));
        }
        "silent body" => {
            steps.push(Step::send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n\"hal"));
            steps.push(Step::Hang);
        }
        "trickled body" => {
            let (head, body) = whole.split_at(whole.len() - 60);
            steps.push(Step::send(head));
            steps.push(Step::Trickle(body.to_vec(), PAUSE));
        }
        "trickled chunks" => {
            steps.push(Step::send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"));
            steps.push(Step::Trickle(b"1\r\n1\r\n".repeat(100), PAUSE));
        }
        _ => unreachable!("{way}"),
    }
    steps
}

async fn timed<T>(call: impl Future<Output = Result<T, Error>>) -> (Result<T, Error>, Duration) {
    let begin = Instant::now();
    let outcome = timeout(PATIENCE, call).await.expect("a deadline");
    (outcome, begin.elapsed())
}

fn in_time(what: &str, elapsed: Duration) {
    assert!(
        elapsed + Duration::from_millis(2) >= DEADLINE,
        "{what}: given up early, at {elapsed:?}"
    );
    assert!(elapsed <= DEADLINE + SLACK, "{what}: {elapsed:?} with a deadline of {DEADLINE:?}");
}

#[tokio::test]
async fn no_slowness_outlives_the_deadline() {
    let client = quick().deadline(DEADLINE).build().expect("a client");
    for way in WAYS {
        let server = Server::start(move |_| steps(way)).await;
        let url = server.url("/");
        let (outcome, elapsed) = timed(client.get(&url).json::<String>()).await;
        let error = outcome.expect_err(way);
        assert!(error.is_timeout(), "{way}: {error}");
        in_time(way, elapsed);
        assert_eq!(server.seen().len(), 1, "{way}: no time was left for another");
        let (outcome, elapsed) = timed(async {
            let mut response = client.post(&url).body("once").send().await?;
            while response.chunk().await?.is_some() {}
            Ok(())
        })
        .await;
        assert!(outcome.expect_err(way).is_timeout(), "{way}");
        in_time(way, elapsed);
    }
}

#[tokio::test]
async fn an_attempt_that_is_too_slow_is_made_again_if_it_is_idempotent() {
    let client = quick().attempt_timeout(Duration::from_millis(100)).build().expect("a client");
    for way in WAYS {
        let server = Server::start(move |turn| {
            if turn.order == 0 {
                steps(way)
            } else {
                vec![Step::READ, Step::Send(answer(200, "", "\"at last\""))]
            }
        })
        .await;
        let url = server.url("/");
        assert_eq!(client.get(&url).json::<String>().await.expect(way), "at last", "{way}");
        assert_eq!(server.seen().len(), 2, "{way}");
        let server = Server::start(move |_| steps(way)).await;
        let error = client.post(server.url("/")).body("once").bytes().await.expect_err(way);
        assert!(error.is_timeout(), "{way}: {error}");
        assert_eq!(server.seen().len(), 1, "{way}");
    }
}

fn capped(most: usize) -> Builder {
    quick().max_body(most)
}

#[tokio::test]
async fn an_endless_body_ends_at_the_cap() {
    let client = capped(100_000).build().expect("a client");
    let endless: [(&str, &[u8], Vec<u8>); 3] = [
        (
            "chunks",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            [b"3e8\r\n".as_slice(), &[b'x'; 1000], b"\r\n"].concat(),
        ),
        ("until the end of the connection", b"HTTP/1.0 200 OK\r\n\r\n", vec![b'x'; 1000]),
        (
            "a length of exabytes",
            b"HTTP/1.1 200 OK\r\ncontent-length: 9223372036854775807\r\n\r\n",
            vec![b'x'; 1000],
        ),
    ];
    for (name, head, more) in endless {
        let server =
            Server::start(move |_| vec![Step::READ, Step::send(head), Step::Endless(more.clone())])
                .await;
        let begin = Instant::now();
        let error = client.get(server.url("/")).bytes().await.expect_err(name);
        assert!(!error.is_timeout(), "{name}: {error}");
        assert!(begin.elapsed() < PATIENCE, "{name}");
        // It would be as large the next time.
        assert_eq!(server.seen().len(), 1, "{name}: {error}");
    }
}

#[tokio::test]
async fn the_cap_is_exact() {
    let client = capped(1000).build().expect("a client");
    for (length, fits) in [(0, true), (999, true), (1000, true), (1001, false)] {
        for is_chunked in [false, true] {
            let body = "x".repeat(length);
            let whole = if is_chunked {
                let rest = if length == 0 { String::new() } else { "0\r\n\r\n".to_owned() };
                format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n{rest}")
                    .into_bytes()
            } else {
                answer(200, "", &body)
            };
            let server = Server::start(move |_| vec![Step::READ, Step::Send(whole.clone())]).await;
            let outcome = client.get(server.url("/")).bytes().await;
            assert_eq!(outcome.is_ok(), fits, "{length} bytes, chunked: {is_chunked}: {outcome:?}");
        }
    }
}

/// hyper's own limit, which is nobody's to raise by accident.
#[tokio::test]
async fn a_head_without_end_is_an_error() {
    let client = quick().build().expect("a client");
    let server = Server::start(|_| {
        vec![
            Step::READ,
            Step::send("HTTP/1.1 200 OK\r\n"),
            Step::Endless(b"x-more: and more\r\n".repeat(100)),
        ]
    })
    .await;
    let begin = Instant::now();
    let error = client.post(server.url("/")).body("once").bytes().await.expect_err("a limit");
    assert!(begin.elapsed() < PATIENCE, "{error}");
    assert_eq!(server.seen().len(), 1, "{error}");
}

#[tokio::test]
async fn a_body_that_pauses_too_long_is_cut_by_the_read_timeout() {
    let client: Client =
        quick().read_timeout(Duration::from_millis(500)).build().expect("a client");
    let server = Server::start(|_| {
        vec![
            Step::READ,
            Step::send("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n"),
            // Alive for longer than the limit, because each byte sets it back.
            Step::Trickle(b"0123456789".to_vec(), Duration::from_millis(60)),
            Step::Hang,
        ]
    })
    .await;
    let mut response = client.get(server.url("/")).send().await.expect("a head");
    let begin = Instant::now();
    let mut read = 0;
    let error = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => read += chunk.len(),
            Ok(None) => panic!("half a body was enough"),
            Err(error) => break error,
        }
    };
    assert!(error.is_timeout(), "{error}");
    assert_eq!(read, 10, "{error}");
    assert!(begin.elapsed() < full_or(1, 2) * PATIENCE / 4, "{error}");
}

/// There is always something to read, so nobody ever waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_body_that_is_fast_ends_at_the_deadline() {
    let client = quick().deadline(DEADLINE).build().expect("a client");
    let server = Server::start(|_| {
        vec![
            Step::READ,
            Step::send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
            Step::Endless(b"1\r\nx\r\n".repeat(10_000)),
        ]
    })
    .await;
    let (outcome, elapsed) = timed(async {
        let mut response = client.get(server.url("/")).send().await?;
        while response.chunk().await?.is_some() {}
        Ok(())
    })
    .await;
    assert!(outcome.expect_err("no end").is_timeout());
    in_time("an endless body", elapsed);
}

/// Times that no clock can express are no limits, and no panics.
#[tokio::test]
async fn limits_beyond_all_time_are_none_and_no_time_is_none_at_all() {
    let client = quick()
        .deadline(Duration::MAX)
        .attempt_timeout(Duration::MAX)
        .read_timeout(Duration::MAX)
        .connect_timeout(Duration::MAX)
        .max_body(usize::MAX)
        .build()
        .expect("a client");
    let server = Server::start(|_| vec![Step::READ, Step::Send(answer(200, "", "here"))]).await;
    assert_eq!(client.get(server.url("/")).bytes().await.expect("an answer"), "here");
    let before = server.seen().len();
    let error =
        client.get(server.url("/")).deadline(Duration::ZERO).bytes().await.expect_err("no time");
    assert!(error.is_timeout(), "{error}");
    assert_eq!(server.seen().len(), before, "it was sent all the same");
}

/// What is neither head nor body, as fast as it comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_beside_the_answer_end_by_the_deadline() {
    let client = quick().deadline(DEADLINE).build().expect("a client");
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let floods: [(&str, String, &str); 4] = [
        ("informational heads", String::new(), "HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\n"),
        ("an extension of a chunk", format!("{chunked}1;"), "x=y;"),
        ("trailers", format!("{chunked}0\r\n"), "x-more: y\r\n"),
        ("zeros of a chunk's size", chunked.to_owned(), "0"),
    ];
    for (name, begin, more) in floods {
        let more = more.repeat(1000);
        let server = Server::start(move |_| {
            vec![Step::READ, Step::send(begin.clone()), Step::Endless(more.clone().into_bytes())]
        })
        .await;
        let (outcome, elapsed) = timed(client.post(server.url("/")).body("once").bytes()).await;
        let error = outcome.expect_err(name);
        assert!(elapsed <= DEADLINE + SLACK, "{name}: {elapsed:?}: {error}");
        assert_eq!(server.seen().len(), 1, "{name}: {error}");
    }
}

/// A queue of connections that is full answers nothing, and whoever hears nothing has sent nothing.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_connection_in_time_was_not_sent() {
    let client = quick().connect_timeout(Duration::from_millis(50)).build().expect("a client");
    let socket = Dead::new();
    let url = socket.url();
    let address = socket.address();
    let listener = socket.0.listen(1).expect("a queue");
    let mut queue = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        queue.push(stream.expect("a place in the queue"));
    }
    let begin = Instant::now();
    let error = client.post(url).body("once").send().await.expect_err("no connection");
    assert!(error.is_connect() && error.is_timeout(), "{error}");
    assert_eq!((error.disposition(), error.attempts()), (Disposition::NotSent, 4), "{error}");
    assert!(begin.elapsed() >= Duration::from_millis(4 * 50 - 2));
    drop(listener);
}
