//! Who is served on HTTP/2, and how they are asked to leave.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, task::JoinHandle, time::Instant};
use underpin_shutdown::Plan;

use super::{
    Served,
    app::{MEDIUM, SMALL},
    client::Client,
    run, with_lame_duck,
};
use crate::virtual_time::{pass, secs};

/// Whether the connection ended well.
type Ended = JoinHandle<Result<(), hyper::Error>>;

async fn connect(served: &Served) -> (SendRequest<Empty<Bytes>>, Ended) {
    let stream = TcpStream::connect(served.address).await.expect("it listens");
    let io = TokioIo::new(stream);
    let (requests, connection) = handshake(TokioExecutor::new(), io).await.expect("HTTP/2");
    (requests, tokio::spawn(connection))
}

async fn get(requests: &mut SendRequest<Empty<Bytes>>, path: &str) -> (StatusCode, Bytes) {
    let request = Request::get(format!("http://test{path}")).body(Empty::new()).expect("a request");
    let response = requests.send_request(request).await.expect("a response");
    assert!(!response.headers().contains_key("connection"));
    let status = response.status();
    (status, response.into_body().collect().await.expect("all of the body").to_bytes())
}

/// Confirms pings until the server closes, and returns the data of all streams.
async fn data(mut client: Client) -> Vec<u8> {
    let mut data = Vec::new();
    while let Some((kind, flags, payload)) = client.frame().await {
        match (kind, flags) {
            (0, _) => data.extend(payload),
            (6, 0) => client.send([&[0, 0, 8, 6, 1, 0, 0, 0, 0], &payload[..]].concat()).await,
            _ => {}
        }
    }
    data
}

#[test]
fn requests_are_served_at_the_same_time() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let (mut requests, _connection) = connect(&served).await;
        let begin = Instant::now();
        let slow: Vec<_> = (0..10)
            .map(|_| {
                let mut requests = requests.clone();
                tokio::spawn(async move { get(&mut requests, "/slow").await })
            })
            .collect();
        assert_eq!(get(&mut requests, "/").await, (StatusCode::OK, Bytes::from("hello")));
        for slow in slow {
            assert_eq!(slow.await.expect("no panic"), (StatusCode::OK, Bytes::from("slow")));
        }
        assert_eq!(begin.elapsed(), secs(3));
    });
}

#[test]
fn used_connection_is_told_to_leave_when_the_lame_duck_begins() {
    run(async {
        let served = Served::start(with_lame_duck()).await;
        let (mut requests, connection) = connect(&served).await;
        get(&mut requests, "/").await;
        let begin = Instant::now();
        served.stop();
        connection.await.expect("no panic").expect("an end in peace");
        assert!(begin.elapsed() < secs(1));
    });
}

#[test]
fn new_connection_in_the_lame_duck_is_told_after_its_first_request() {
    run(async {
        let served = Served::start(with_lame_duck()).await;
        served.stop();
        let (mut requests, connection) = connect(&served).await;
        pass(secs(1)).await;
        assert_eq!(get(&mut requests, "/").await.0, StatusCode::OK);
        connection.await.expect("no panic").expect("an end in peace");
    });
}

#[test]
fn requests_in_flight_are_finished() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let (mut requests, connection) = connect(&served).await;
        let mut second = requests.clone();
        let events = tokio::spawn(async move { get(&mut second, "/events").await });
        let slow = tokio::spawn(async move { get(&mut requests, "/slow").await });
        pass(secs(1)).await;
        served.stop();
        assert_eq!(events.await.expect("no panic").1, Bytes::from("goodbye"));
        assert_eq!(slow.await.expect("no panic").1, Bytes::from("slow"));
        connection.await.expect("no panic").expect("an end in peace");
        assert_eq!(served.stopped().await / 10, 200);
    });
}

#[test]
fn unused_connection_is_told_to_leave_when_draining() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let (_requests, connection) = connect(&served).await;
        pass(secs(1)).await;
        served.stop();
        connection.await.expect("no panic").expect("an end in peace");
        assert_eq!(served.stopped().await / 10, 50);
    });
}

#[test]
fn idle_connection_is_told_to_leave_after_75_s() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let (mut requests, connection) = connect(&served).await;
        get(&mut requests, "/").await;
        let begin = Instant::now();
        connection.await.expect("no panic").expect("an end in peace");
        assert_eq!(begin.elapsed().as_secs(), 75);
    });
}

#[test]
fn client_that_never_confirms_the_goodbye_does_not_hold_up_the_stop() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::connect(served.address).await;
        // Preface, empty SETTINGS, and HEADERS of stream 1: GET http / with an indexed authority of none.
        client.preface().await;
        client.send([0, 0, 3, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84]).await;
        pass(secs(1)).await;
        served.stop();
        assert!(served.stopped().await <= 1010);
        client.gone().await;
    });
}

#[test]
fn client_that_pings_instead_of_leaving_does_not_hold_up_the_stop() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::connect(served.address).await;
        client.preface().await;
        served.stop();
        for _ in 0..3 {
            client.send([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]).await;
            pass(Duration::from_millis(450)).await;
        }
        assert!(served.stopped().await <= 1550);
    });
}

#[test]
fn response_without_room_at_the_client_is_in_flight() {
    run(async {
        let served = Served::with(Plan::new(), |serve| serve.idle_timeout(secs(1))).await;
        let mut client = Client::connect(served.address).await;
        client.preface().await;
        client.headers("/medium").await;
        // 64 KB have room; the rest waits, longer than an idle connection may live, and longer than one may linger.
        pass(secs(5)).await;
        served.stop();
        pass(secs(5)).await;
        client.credit(1024 * 1024).await;
        assert_eq!(data(client).await.len(), MEDIUM);
        assert_eq!(served.stopped().await / 10, 500);
    });
}

#[test]
fn pieces_without_room_at_the_client_are_in_flight() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::connect(served.address).await;
        client.preface().await;
        client.headers("/pieces").await;
        // All of the first, and some of the second.
        client.credit(500_000).await;
        pass(secs(1)).await;
        served.stop();
        pass(secs(5)).await;
        client.credit(1024 * 1024).await;
        assert_eq!(data(client).await.len(), 2 * MEDIUM);
    });
}

#[test]
fn response_arrives_although_the_client_still_talks() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::narrow(served.address, 10_000).await;
        client.preface().await;
        client.headers("/small").await;
        pass(secs(1)).await;
        served.stop();
        pass(Duration::from_millis(10)).await;
        // The server's ping is confirmed unseen: its payload is always the same. Then the connection has ended for the server.
        let confirm = [0x0b, 0x7b, 0xa2, 0xf0, 0x8b, 0x9b, 0xfe, 0x54];
        client.send([&[0, 0, 8, 6, 1, 0, 0, 0, 0], &confirm[..]].concat()).await;
        pass(Duration::from_millis(10)).await;
        client.send([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]).await;
        pass(Duration::from_millis(10)).await;
        assert_eq!(data(client).await.len(), SMALL);
    });
}

#[test]
fn pings_are_no_requests() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::connect(served.address).await;
        client.preface().await;
        let begin = Instant::now();
        let goodbye = async {
            while client.frame().await.is_some_and(|(kind, _, _)| kind != 7) {
                pass(secs(1)).await;
                client.send([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]).await;
            }
        };
        goodbye.await;
        assert!(begin.elapsed() < secs(80), "{:?}", begin.elapsed());
    });
}

#[test]
fn tunnel_is_waited_for() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::connect(served.address).await;
        client.preface().await;
        // CONNECT to `t` with `:protocol` `b` and the path `/upgrade` (RFC 8441).
        let mut block = vec![0x02, 7];
        block.extend(b"CONNECT");
        block.extend([0x00, 9]);
        block.extend(b":protocol");
        block.extend([1, b'b', 0x86, 0x04, 8]);
        block.extend(b"/upgrade");
        block.extend([0x01, 1, b't']);
        let length = u8::try_from(block.len()).expect("a short one");
        client.send([&[0, 0, length, 1, 4, 0, 0, 0, 1], &block[..]].concat()).await;
        let data = tokio::spawn(data(client));
        pass(secs(1)).await;
        let begin = Instant::now();
        served.stop();
        served.stopped().await;
        assert_eq!(begin.elapsed().as_secs(), 2);
        assert!(data.await.expect("no panic").ends_with(b"bye"));
    });
}
