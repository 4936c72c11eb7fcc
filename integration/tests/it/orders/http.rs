//! An HTTP client of some lines, so that a test says every byte that is sent.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::Value as Json;

use super::{PATIENCE, json};

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(super) fn json(&self) -> Json {
        json(&self.body)
    }

    /// The code of a problem document, which this must be.
    pub(super) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        problem["code"].as_str().expect("a problem has a code").to_owned()
    }
}

pub(super) fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream
}

/// Sends these bytes, and reads until the other side closes.
pub(super) fn exchange(port: u16, bytes: &[u8]) -> Answer {
    let mut stream = connect(port);
    stream.write_all(bytes).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers and closes");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.get(9..12).and_then(|code| code.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

pub(super) fn request(port: u16, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: orders\r\n");
    let length = format!("content-length: {}", body.len());
    let default = [("connection: ", "connection: close"), ("content-length: ", &length)];
    let default =
        default.iter().filter(|(name, _)| !headers.iter().any(|header| header.starts_with(name)));
    for header in default.map(|(_, header)| header).chain(headers) {
        head += header;
        head += "\r\n";
    }
    exchange(port, format!("{head}\r\n{body}").as_bytes())
}

pub(super) fn get(port: u16, path: &str) -> Answer {
    request(port, "GET", path, &[], "")
}

/// Places an order.
pub(super) fn post(port: u16, headers: &[&str], body: &str) -> Answer {
    let headers = [&["content-type: application/json"], headers].concat();
    request(port, "POST", "/orders", &headers, body)
}

pub(super) const ORDER: &str = r#"{"symbol":"ACME","side":"buy","quantity":2.5,"price":0}"#;

/// Places an order that is good, and returns its id.
pub(super) fn place(port: u16) -> String {
    let answer = post(port, &[], ORDER);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_str().expect("an order has an id").to_owned()
}
