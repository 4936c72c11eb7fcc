//! What a connection may not do for ever.

use std::time::Duration;

use tokio::{net::TcpListener, time::Instant};
use underpin_shutdown::{Plan, Reason, Serve, Shutdown, serve};

use super::{
    Served,
    app::{App, app},
    client::Client,
    run,
};
use crate::virtual_time::{pass, secs};

async fn time_until_gone(mut client: Client) -> u64 {
    let begin = Instant::now();
    client.gone().await;
    begin.elapsed().as_secs()
}

#[test]
fn head_that_comes_drop_by_drop_has_30_s() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::connect(served.address).await;
        client.send("GET / HTTP/1.1\r\n").await;
        for _ in 0..29 {
            pass(secs(1)).await;
            client.send("a: b\r\n").await;
        }
        assert_eq!(time_until_gone(client).await, 1);
    });
}

#[test]
fn idle_connection_has_75_s() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let never_used = Client::connect(served.address).await;
        assert_eq!(time_until_gone(never_used).await, 75);
        let mut used = Client::connect(served.address).await;
        used.get("/").await;
        pass(secs(70)).await;
        used.get("/").await;
        assert_eq!(time_until_gone(used).await, 75);
    });
}

#[test]
fn request_takes_as_long_as_it_takes() {
    run(async {
        let served = Served::with(Plan::new(), |serve| serve.idle_timeout(secs(1))).await;
        let mut client = Client::connect(served.address).await;
        assert!(client.get("/slow").await.is_ok());
    });
}

#[test]
fn limits_can_be_as_good_as_none() {
    run(async {
        let endless = |serve: Serve<App>| {
            let serve = serve.idle_timeout(Duration::MAX).header_timeout(Duration::MAX);
            serve.handshake_timeout(Duration::MAX)
        };
        let served = Served::with(Plan::new(), endless).await;
        let mut client = Client::connect(served.address).await;
        pass(secs(24 * 60 * 60)).await;
        client.send("GET / HTTP/1.1\r\n").await;
        pass(secs(24 * 60 * 60)).await;
        client.send("host: test\r\n\r\n").await;
        assert!(client.response().await.is_ok());
    });
}

#[test]
fn half_a_preface_of_http2_has_5_s() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::connect(served.address).await;
        client.send("PRI * HTTP/2.0\r\n").await;
        assert_eq!(time_until_gone(client).await, 5);
    });
}

#[test]
fn preface_of_http2_and_nothing_else_does_not_hold_up_the_stop() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::connect(served.address).await;
        client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        pass(secs(1)).await;
        served.stop();
        // Half a second to begin with, and half a second for the answer to GOAWAY.
        assert!(served.stopped().await <= 1010);
        client.gone().await;
    });
}

#[test]
fn handshake_has_5_s_and_is_cut_off_at_cancelling() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shutdown = Shutdown::new(Plan::new().budget(secs(9)));
        let server = serve(listener, app(&shutdown), &shutdown).handshake(|stream| async {
            pass(secs(60)).await;
            Ok(stream)
        });
        let stop = shutdown.clone();
        let run = tokio::spawn(stop.run(server.into_future()));
        assert_eq!(time_until_gone(Client::connect(address).await).await, 5);
        let mut client = Client::connect(address).await;
        pass(Duration::from_millis(100)).await;
        shutdown.trigger(Reason::Requested("the test".into()));
        let begin = Instant::now();
        client.gone().await;
        assert!(begin.elapsed() < secs(3), "cancelling comes first");
        let (output, report) = run.await.expect("no panic");
        assert!(output.is_some_and(|output| output.is_ok()), "{report}");
    });
}

#[test]
fn failed_handshake_costs_one_connection_and_not_the_server() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shutdown = Shutdown::new(Plan::new());
        let mut fails = true;
        let server = serve(listener, app(&shutdown), &shutdown).handshake(move |stream| {
            let failed = std::mem::replace(&mut fails, false);
            async move { if failed { Err(std::io::Error::other("no")) } else { Ok(stream) } }
        });
        drop(tokio::spawn(server.into_future()));
        Client::connect(address).await.gone().await;
        assert!(Client::connect(address).await.get("/").await.is_ok());
    });
}

#[test]
fn garbage_is_told_so_and_costs_nobody_else_anything() {
    run(async {
        let served = Served::start(Plan::new()).await;
        for (garbage, is_answered) in [
            ("\r\n\r\n\0\x01", true),
            ("PRI * HTTP/2.1\r\n\r\n", true),
            ("\x16\x03\x01\x02\x00\x01", true),
            // Nothing that could be answered yet, and nothing more to come.
            ("P", false),
        ] {
            let mut client = Client::connect(served.address).await;
            client.send(garbage).await;
            client.finish().await;
            let answer = String::from_utf8_lossy(&client.rest().await).into_owned();
            assert_eq!(answer.starts_with("HTTP/1.1 400 "), is_answered, "{garbage:?}: {answer}");
        }
        assert!(Client::connect(served.address).await.get("/").await.is_ok());
    });
}

#[test]
fn listener_that_listens_no_more_is_an_error() {
    run(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let other = listener.try_clone().expect("a socket");
        let listener = TcpListener::from_std(listener).expect("a socket");
        let shutdown = Shutdown::new(Plan::new());
        let server = tokio::spawn(serve(listener, app(&shutdown), &shutdown).into_future());
        pass(secs(1)).await;
        rustix::net::shutdown(&other, rustix::net::Shutdown::Both).expect("it listens");
        let error = server.await.expect("no panic").expect_err("it can accept nothing");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    });
}
