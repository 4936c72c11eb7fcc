//! `GET /orders/{id}/events`, as server-sent events and over a WebSocket.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use serde_json::Value as Json;
use testkit::{or_skip, python};

use super::{
    change, folder,
    http::{connect, get, place, request},
    json, orders, serve,
};

/// A stream of server-sent events. It is asked for in HTTP/1.0, where a body has no frames.
struct Events(BufReader<TcpStream>);

impl Events {
    fn open(port: u16, id: &str) -> Events {
        let mut stream = connect(port);
        write!(stream, "GET /orders/{id}/events HTTP/1.0\r\n\r\n").expect("it reads");
        let mut events = Events(BufReader::new(stream));
        let head = events.block().expect("a head");
        assert!(
            head.contains(" 200 ") && head.contains("content-type: text/event-stream"),
            "{head}"
        );
        events
    }

    /// What comes before the next empty line.
    fn block(&mut self) -> Option<String> {
        let mut block = String::new();
        loop {
            let mut line = String::new();
            match self.0.read_line(&mut line).expect("it goes on or ends") {
                0 => return None,
                _ if line.trim_end().is_empty() => return Some(block),
                _ => block += &line,
            }
        }
    }

    fn order(&mut self) -> Json {
        let event = self.block().expect("an event");
        json(
            event
                .strip_prefix("event: order\ndata: ")
                .unwrap_or_else(|| panic!("no order in {event}")),
        )
    }
}

#[test]
fn a_watcher_sees_how_an_order_stands_and_then_its_fill() {
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    let id = place(port);
    let mut events = Events::open(port, &id);
    let (first, second) = (events.order(), events.order());
    let fields: Vec<&String> = first.as_object().expect("an object").keys().collect();
    assert_eq!(fields, ["filled_quantity", "order_id", "status", "updated_at"]);
    assert_eq!(
        (&first["order_id"], &first["status"]),
        (&Json::from(id.as_str()), &Json::from("accepted"))
    );
    assert_eq!(
        (&second["status"], &second["filled_quantity"]),
        (&Json::from("filled"), &Json::from(2.5))
    );
    assert!(first["updated_at"].as_str() < second["updated_at"].as_str());
    assert_eq!(get(port, &format!("/orders/{id}")).json()["status"], "filled");
}

#[test]
fn a_change_by_another_program_is_seen() {
    let python = or_skip!(python(&[]));
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    let id = place(port);
    let mut events = Events::open(port, &id);
    while events.order()["status"] != "filled" {}
    change(&python, &dir, "UPDATE orders SET filled_quantity = 1.25");
    assert_eq!(events.order()["filled_quantity"], 1.25);
}

#[test]
fn at_a_stop_every_stream_is_told_goodbye() {
    let dir = folder();
    let (child, port) = serve(orders(&dir));
    let id = place(port);
    let mut events = Events::open(port, &id);
    let mut socket = WebSocket::open(port, &id);
    assert_eq!(
        (&events.order()["status"], &json(&socket.text())["order_id"]),
        (&"accepted".into(), &id.as_str().into())
    );
    child.terminate();
    let goodbye = loop {
        let event = events.block().expect("a goodbye before the end");
        if !event.starts_with("event: order") {
            break event;
        }
    };
    assert!(goodbye.starts_with("event: goodbye\nretry: 500\n"), "{goodbye}");
    assert_eq!(events.block(), None);
    assert_eq!(socket.close_code(), 1001);
    socket.close();
    let output = child.finish();
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
}

/// A WebSocket from the client's side, without extensions.
struct WebSocket(TcpStream);

const HANDSHAKE: [&str; 4] = [
    "connection: upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
];

impl WebSocket {
    fn open(port: u16, id: &str) -> WebSocket {
        let mut stream = connect(port);
        let headers = HANDSHAKE.join("\r\n");
        write!(stream, "GET /orders/{id}/events HTTP/1.1\r\nhost: orders\r\n{headers}\r\n\r\n")
            .expect("it reads");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a whole head");
            head.extend(byte);
        }
        let head = String::from_utf8(head).expect("a head is text");
        // The answer to this key, which RFC 6455 works out in section 1.3.
        assert!(head.contains(" 101 ") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        WebSocket(stream)
    }

    /// The next frame, which is short: its kind and what it carries.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).expect("a frame");
        let length = match head[1] {
            126 => {
                let mut long = [0; 2];
                self.0.read_exact(&mut long).expect("a length");
                usize::from(u16::from_be_bytes(long))
            }
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).expect("a whole frame");
        (head[0], payload)
    }

    fn text(&mut self) -> String {
        let (kind, payload) = self.frame();
        assert_eq!(kind, 0x81, "a text");
        String::from_utf8(payload).expect("text")
    }

    fn close_code(&mut self) -> u16 {
        loop {
            let (kind, payload) = self.frame();
            if kind == 0x88 {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }

    /// Sends a close, masked as a client's frames must be, and reads to the end.
    fn close(mut self) {
        self.0.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]).expect("it reads");
        self.0.read_to_end(&mut Vec::new()).expect("it ends");
    }
}

#[test]
fn a_websocket_gets_the_same_and_its_close_is_answered() {
    let dir = folder();
    let (child, port) = serve(orders(&dir));
    let mut socket = WebSocket::open(port, &place(port));
    let states = [json(&socket.text())["status"].clone(), json(&socket.text())["status"].clone()];
    assert_eq!(states, ["accepted", "filled"]);
    socket.0.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]).expect("it reads");
    assert_eq!(socket.close_code(), 1000);
    child.terminate();
    assert_eq!(child.finish().status.code(), Some(0));
}

#[test]
fn a_handshake_that_is_not_one_is_refused() {
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    let id = place(port);
    let [_, upgrade, version, key] = HANDSHAKE;
    let connection = "connection: upgrade, close";
    for headers in [
        ["connection: close", upgrade, version, key],
        [connection, upgrade, "sec-websocket-version: 12", key],
        [connection, upgrade, version, "x: y"],
    ] {
        let answer = request(port, "GET", &format!("/orders/{id}/events"), &headers, "");
        assert_eq!((answer.status, answer.code().as_str()), (400, "UPGRADE_FAILED"), "{headers:?}");
    }
    let headers = [connection, upgrade, version, key];
    let answer = request(port, "GET", "/orders/ord_0000000000000099/events", &headers, "");
    assert_eq!((answer.status, answer.code().as_str()), (404, "ORDER_NOT_FOUND"));
}
