//! What real failures are taken for.

use tokio::net::TcpListener;
use underpin_httpx::{Client, Disposition, Kind, Retry};

use crate::{
    builder, client, local, millis,
    server::{Server, Step, broken, raw, status},
};

async fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    format!("http://{}/", listener.local_addr().expect("an address"))
}

#[tokio::test]
async fn a_refused_connection_was_not_sent_and_a_post_tries_again() {
    let url = closed_port().await;
    let http = Client::builder()
        .retry(Retry::fixed(millis(1)))
        .configure(local)
        .build()
        .expect("a client");
    let error = http.post(url).body("1 EUR").send().await.expect_err("nobody listens");
    assert_eq!((error.kind(), error.disposition()), (Kind::Connect, Disposition::NotSent));
    assert_eq!(error.attempts(), 4);
    assert!(error.is_connect() && error.is_exhausted() && !error.is_timeout());
}

#[tokio::test]
async fn a_name_that_is_unknown_was_not_sent() {
    let http = Client::builder()
        .retry(Retry::fixed(millis(1)))
        .configure(local)
        .build()
        .expect("a client");
    let error = http.post("http://no-such-host.invalid/").send().await.expect_err("no such host");
    assert_eq!((error.kind(), error.disposition()), (Kind::Connect, Disposition::NotSent));
    assert_eq!(error.attempts(), 4);
}

#[tokio::test]
async fn what_is_lost_after_sending_is_unknown() {
    for failure in
        [vec![Step::Close], vec![Step::Reset], vec![raw("nonsense\r\n\r\n"), Step::Close]]
    {
        let server = Server::new(move |_| failure.clone()).await;
        let error = client(&server).post("x").body("1").send().await.expect_err("no answer");
        assert_eq!((error.kind(), error.disposition()), (Kind::Transport, Disposition::Unknown));
        assert_eq!((error.attempts(), server.count()), (1, 1));
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_unknown() {
    let server = Server::new(|_| broken("", 10, "half")).await;
    let error = client(&server).post("x").body("1").text().await.expect_err("half an answer");
    assert_eq!((error.kind(), error.disposition()), (Kind::Body, Disposition::Unknown));
    assert_eq!(error.status().map(|status| status.as_u16()), Some(200));
}

#[tokio::test]
async fn an_idle_connection_that_the_server_closes_costs_no_request() {
    // The client may have it in its pool when the next request comes. A POST that was never taken by it goes out on another.
    let server =
        Server::new(|_| vec![raw("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), Step::Close])
            .await;
    let http = client(&server);
    for _ in 0..100 {
        match http.post("x").body("1").send().await {
            Ok(response) => assert_eq!(response.status().as_u16(), 200),
            // It was written to the connection before the close was seen: it may have been processed.
            Err(error) => assert_eq!(error.disposition(), Disposition::Unknown),
        }
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_final_and_nothing_is_sent() {
    let server = Server::new(|_| status(200)).await;
    let http = builder(&server).build().expect("a client");
    let errors = [
        http.get("http://[bad/").send().await,
        http.get("x").header("a", "b\r\nc: d").send().await,
        http.get("x").header("a b", "c").send().await,
        http.get("ftp://example.com/").send().await,
        http.get("//example.com/x").send().await,
        http.get("http:users").send().await,
        http.put("x").header("content-length", "99").body("xy").send().await,
        http.put("x").header("Transfer-Encoding", "chunked").body("xy").send().await,
        http.post("x").body_json(&f64_map()).send().await,
        http.post("x").idempotency_key("a\nb").send().await,
        http.post("x").idempotency_key("").send().await,
        http.post("x").resume().send().await,
        http.get("x").header("range", "bytes=0-1").resume().send().await,
    ];
    for answer in errors {
        let error = answer.expect_err("it is wrong");
        assert_eq!((error.kind(), error.disposition()), (Kind::Request, Disposition::Final));
    }
    assert_eq!(server.count(), 0);
}

/// JSON has no objects with keys like these.
fn f64_map() -> std::collections::BTreeMap<Vec<u8>, u8> {
    [(vec![1], 1)].into()
}
