//! The listener on threads of its own.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use underpin_health::{Health, Server, serve};

/// Far beyond anything an answer needs, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

fn started() -> Server {
    serve(Health::new(), ([127, 0, 0, 1], 0).into()).expect("loopback can be listened on")
}

fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline can be set");
    stream
}

/// What comes until the end; a reset is an end too.
fn exchange(addr: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(addr);
    let _ = stream.write_all(request);
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    String::from_utf8(response).expect("the answer is text")
}

#[test]
fn probes_are_answered_uncached_and_closed() {
    let server = started();
    let response = exchange(server.addr(), b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    let (head, body) = response.split_once("\r\n\r\n").expect("a whole answer");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("\r\nCache-Control: no-store\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Length: 2\r\n"), "{head}");
    assert!(head.ends_with("\r\nConnection: close"), "{head}");
    assert_eq!(body, "ok");
    let not_ready = exchange(server.addr(), b"GET /health/ready HTTP/1.0\r\n\r\n");
    assert!(not_ready.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{not_ready}");
    assert!(not_ready.ends_with("\r\n\r\n{\"status\":\"starting\"}"), "{not_ready}");
}

#[test]
fn head_has_the_headers_and_no_body() {
    let server = started();
    let response = exchange(server.addr(), b"HEAD /livez HTTP/1.1\r\n\r\n");
    assert!(response.contains("\r\nContent-Length: 2\r\n"), "{response}");
    assert!(response.ends_with("\r\n\r\n"), "{response}");
}

#[test]
fn a_proxys_form_of_the_target_is_understood() {
    let server = started();
    let response = exchange(server.addr(), b"GET http://a:1/livez?x HTTP/1.1\r\n\r\n");
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
}

#[test]
fn mistakes_are_told_apart() {
    let server = started();
    let long = format!("GET /livez HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(5000));
    for (request, status) in [
        (&b"POST /livez HTTP/1.1\r\n\r\n"[..], "405"),
        (b"GET / HTTP/1.1\r\n\r\n", "404"),
        (b"GET /livez HTTP/2.0\r\n\r\n", "505"),
        (b"GET /livez\r\n\r\n", "400"),
        (b"\xff\xfe\x00 \x01\r\n\r\n", "400"),
        (b"\n\n", "400"),
        (long.as_bytes(), "431"),
    ] {
        let response = exchange(server.addr(), request);
        let expected = format!("HTTP/1.1 {status} ");
        assert!(response.starts_with(&expected), "{}: {response}", request.escape_ascii());
    }
}

#[test]
fn dawdlers_do_not_keep_a_probe_waiting() {
    let server = started();
    // Three times what it takes, each with half a request: in turn, they would take 2 s three times.
    let dawdlers: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = connect(server.addr());
            let _ = stream.write_all(b"GET /livez HTT");
            stream
        })
        .collect();
    let begun = Instant::now();
    let response = exchange(server.addr(), b"GET /livez HTTP/1.1\r\n\r\n");
    assert!(response.ends_with("\r\n\r\nok"), "{response}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(dawdlers);
}

#[test]
fn a_half_request_is_closed_in_time() {
    let server = started();
    let mut stream = connect(server.addr());
    stream.write_all(b"GET /livez").expect("it is open");
    let begun = Instant::now();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.is_empty());
    assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
}

#[test]
fn dropping_it_closes_listener_and_connections() {
    let server = started();
    let addr = server.addr();
    let mut open = connect(addr);
    open.write_all(b"GET ").expect("it is open");
    drop(server);
    assert_eq!(open.read(&mut [0; 16]).unwrap_or(0), 0);
    assert!(TcpStream::connect(addr).is_err(), "nobody listens");
}

#[test]
fn it_stops_where_it_listens_on_every_address() {
    let server = serve(Health::new(), ([0, 0, 0, 0], 0).into()).expect("it can be listened on");
    let addr: SocketAddr = ([127, 0, 0, 1], server.addr().port()).into();
    server.stop();
    assert!(TcpStream::connect(addr).is_err(), "nobody listens");
}
