//! Who is served on HTTP/1, and how they are asked to leave.

use tokio::{net::TcpListener, time::Instant};
use underpin_shutdown::{Phase, Plan, Reason, Serve, Shutdown, serve};

use super::{
    Served,
    app::{BIG, MEDIUM, Routes, app},
    client::Client,
    run, with_lame_duck,
};
use crate::virtual_time::{pass, secs};

#[test]
fn requests_are_served_on_one_connection_that_stays() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::connect(served.address).await;
        for _ in 0..100 {
            let response = client.get("/").await;
            assert!(response.is_ok() && !response.says_close(), "{response:?}");
            assert_eq!(response.body, b"hello");
        }
    });
}

#[test]
fn service_learns_where_a_request_comes_from() {
    run(async {
        let served = Served::with(Plan::new(), Serve::connection_info).await;
        let response = Client::connect(served.address).await.get("/peer").await;
        assert!(String::from_utf8_lossy(&response.body).starts_with("127.0.0.1:"));
    });
}

#[test]
fn lame_duck_serves_idle_connections_once_more_and_asks_them_to_leave() {
    run(async {
        let served = Served::start(with_lame_duck()).await;
        let mut client = Client::connect(served.address).await;
        client.get("/").await;
        served.stop();
        pass(secs(4)).await;
        let response = client.get("/").await;
        assert!(response.is_ok() && response.says_close(), "{response:?}");
        client.closed().await;
    });
}

#[test]
fn lame_duck_accepts_new_connections() {
    run(async {
        let served = Served::start(with_lame_duck()).await;
        served.stop();
        pass(secs(4)).await;
        let mut client = Client::connect(served.address).await;
        let response = client.get("/").await;
        assert!(response.is_ok() && response.says_close(), "{response:?}");
        client.closed().await;
        assert_eq!(served.stopped().await, 5000);
    });
}

#[test]
fn connections_that_the_kernel_has_completed_are_served() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut clients = Vec::new();
        // Nothing here lets the server run, so all of them are in the kernel's queue.
        for _ in 0..100 {
            let client = std::net::TcpStream::connect(served.address).expect("it listens");
            client.set_nonblocking(true).expect("a socket");
            clients.push(tokio::net::TcpStream::from_std(client).expect("a socket"));
        }
        served.stop();
        served.reaches(Phase::Draining).await;
        for client in clients {
            let response = Client::from(client).get("/").await;
            assert!(response.is_ok() && response.says_close(), "{response:?}");
        }
    });
}

#[test]
fn listener_is_closed_when_draining() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let address = served.address;
        served.stop();
        served.stopped().await;
        assert!(std::net::TcpStream::connect(address).is_err());
    });
}

#[test]
fn request_on_its_way_to_an_idle_connection_is_served_when_draining() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::connect(served.address).await;
        client.get("/").await;
        served.stop();
        pass(std::time::Duration::from_millis(450)).await;
        let response = client.get("/").await;
        assert!(response.is_ok() && response.says_close(), "{response:?}");
        client.closed().await;
    });
}

#[test]
fn silent_connections_are_closed_after_the_linger_and_not_before() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut used = Client::connect(served.address).await;
        used.get("/").await;
        let mut never_used = Client::connect(served.address).await;
        pass(secs(1)).await;
        served.stop();
        let begin = Instant::now();
        used.closed().await;
        never_used.closed().await;
        assert_eq!(begin.elapsed().as_millis() / 10, 50);
        assert_eq!(served.stopped().await / 10, 50);
    });
}

#[test]
fn request_in_flight_is_finished() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::connect(served.address).await;
        client.request("/slow").await;
        pass(secs(1)).await;
        served.stop();
        let response = client.response().await;
        assert!(response.is_ok() && response.says_close(), "{response:?}");
        client.closed().await;
        drop(client);
        assert_eq!(served.stopped().await / 10, 200);
    });
}

#[test]
fn head_that_has_begun_may_be_finished() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::connect(served.address).await;
        client.send("GET / HTTP/1.1\r\nho").await;
        pass(secs(1)).await;
        served.stop();
        pass(secs(3)).await;
        client.send("st: test\r\n\r\n").await;
        assert!(client.response().await.is_ok());
        client.closed().await;
    });
}

#[test]
fn stream_says_goodbye_at_draining_and_not_in_the_lame_duck() {
    run(async {
        let served = Served::start(with_lame_duck()).await;
        let mut client = Client::connect(served.address).await;
        client.request("/events").await;
        pass(secs(1)).await;
        served.stop();
        let begin = Instant::now();
        let response = client.response().await;
        assert_eq!(response.body, b"goodbye");
        assert_eq!(begin.elapsed(), secs(5));
        client.closed().await;
    });
}

#[test]
fn upgrade_works_in_the_lame_duck() {
    run(async {
        let served = Served::start(with_lame_duck()).await;
        served.stop();
        let mut client = Client::connect(served.address).await;
        let head =
            "GET /upgrade HTTP/1.1\r\nhost: t\r\nconnection: upgrade\r\nupgrade: bye\r\n\r\n";
        client.send(head).await;
        let response = client.response().await;
        assert!(response.head.starts_with("http/1.1 101"), "{response:?}");
        assert!(response.head.contains("connection: upgrade"), "{response:?}");
    });
}

#[test]
fn upgraded_connection_is_waited_for() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::connect(served.address).await;
        let head =
            "GET /upgrade HTTP/1.1\r\nhost: t\r\nconnection: upgrade\r\nupgrade: bye\r\n\r\n";
        client.send(head).await;
        client.response().await;
        pass(secs(1)).await;
        served.stop();
        assert_eq!(client.read(3).await, b"bye");
        client.closed().await;
        assert_eq!(served.stopped().await / 10, 200);
    });
}

#[test]
fn response_arrives_although_its_request_was_not_read() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::connect(served.address).await;
        let length = 4 * 1024 * 1024;
        let head = format!("POST /early HTTP/1.1\r\nhost: t\r\ncontent-length: {length}\r\n\r\n");
        client.send(head).await;
        client.send(vec![b'x'; length]).await;
        let response = client.response().await;
        assert!(response.head.starts_with("http/1.1 413"), "{response:?}");
        assert_eq!(response.body, b"too large");
    });
}

#[test]
fn slow_reader_gets_all_of_its_response() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::connect(served.address).await;
        client.request("/big").await;
        pass(secs(1)).await;
        served.stop();
        pass(secs(10)).await;
        assert_eq!(client.response().await.body.len(), BIG);
    });
}

#[test]
fn response_that_is_stuck_in_the_server_is_no_idle_connection() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::narrow(served.address, 1).await;
        client.request("/medium").await;
        pass(secs(1)).await;
        served.stop();
        pass(secs(10)).await;
        assert_eq!(client.response().await.body.len(), MEDIUM);
    });
}

#[test]
fn routes_outside_of_the_layer_say_goodbye_as_well() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shutdown = Shutdown::new(with_lame_duck());
        drop(tokio::spawn(serve(listener, Routes, &shutdown).into_future()));
        drop(tokio::spawn(shutdown.clone().complete()));
        let mut client = Client::connect(address).await;
        assert!(!client.get("/").await.says_close());
        shutdown.trigger(Reason::Requested("the test".into()));
        assert!(client.get("/").await.says_close());
    });
}

#[test]
fn server_ends_with_its_last_connection() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shutdown = Shutdown::new(Plan::new());
        let server = tokio::spawn(serve(listener, app(&shutdown), &shutdown).into_future());
        drop(tokio::spawn(shutdown.clone().complete()));
        let mut client = Client::connect(address).await;
        client.request("/slow").await;
        pass(secs(1)).await;
        shutdown.trigger(Reason::Requested("the test".into()));
        pass(secs(1)).await;
        assert!(!server.is_finished());
        client.response().await;
        drop(client);
        server.await.expect("no panic").expect("no error");
    });
}

#[test]
fn what_does_not_end_is_cut_off_at_cancelling() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::connect(served.address).await;
        client.request("/big").await;
        pass(secs(1)).await;
        served.stop();
        let report = served.report.await.expect("no panic");
        // Cancelling comes after 18.75 s of the 25 s, and then there is nothing left to wait for.
        assert_eq!(report.used().as_millis() / 10, 1875);
        client.gone().await;
    });
}

#[test]
fn dropping_the_server_closes_the_listener_and_no_connection() {
    run(async {
        let served = Served::start(Plan::new()).await;
        let mut client = Client::connect(served.address).await;
        client.get("/").await;
        served.report.abort();
        pass(secs(1)).await;
        assert!(std::net::TcpStream::connect(served.address).is_err());
        assert!(client.get("/").await.is_ok());
    });
}
