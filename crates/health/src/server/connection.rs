//! One request, one answer.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use crate::{answer::Answer, health::Health};

/// For the whole request, however it trickles in.
const REQUEST_TIME: Duration = Duration::from_secs(2);
/// For the answer, and for the client to close its side.
const ANSWER_TIME: Duration = Duration::from_secs(1);
/// Line and headers of a request.
const MAX_REQUEST: usize = 4096;
/// What is read and thrown away after the answer: closing with unread bytes would reset the answer away.
const MAX_REST: usize = 64 * 1024;

/// Answers what comes, or closes. Errors have nobody to go to: the client sees the connection end.
pub(super) fn answer(stream: &TcpStream, health: &Health) {
    let mut buffer = [0; MAX_REQUEST];
    let response = match read_head(stream, &mut buffer) {
        Ok(Head::Complete(len)) => respond(&buffer[..len], health),
        Ok(Head::TooLong) => status_only("431 Request Header Fields Too Large"),
        Err(_) => return,
    };
    if send(stream, &response).is_ok() {
        drain(stream, &mut buffer);
    }
}

enum Head {
    Complete(usize),
    TooLong,
}

fn read_head(mut stream: &TcpStream, buffer: &mut [u8; MAX_REQUEST]) -> io::Result<Head> {
    let deadline = Instant::now() + REQUEST_TIME;
    let mut len = 0;
    loop {
        limit_read(stream, deadline)?;
        match stream.read(&mut buffer[len..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => len += read,
        }
        if ends_a_head(&buffer[..len]) {
            return Ok(Head::Complete(len));
        }
        if len == MAX_REQUEST {
            return Ok(Head::TooLong);
        }
    }
}

fn ends_a_head(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|end| end == b"\r\n\r\n") || bytes.windows(2).any(|end| end == b"\n\n")
}

fn respond(head: &[u8], health: &Health) -> Vec<u8> {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = std::str::from_utf8(line).unwrap_or_default().split_ascii_whitespace();
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return status_only("400 Bad Request");
    };
    if !version.starts_with("HTTP/1.") {
        return status_only("505 HTTP Version Not Supported");
    }
    let answer = health.respond_to(origin_form(target));
    match (method, answer) {
        (_, None) => status_only("404 Not Found"),
        ("GET", Some(answer)) => render(&answer, true),
        ("HEAD", Some(answer)) => render(&answer, false),
        (_, Some(_)) => status_only("405 Method Not Allowed\r\nAllow: GET, HEAD"),
    }
}

/// The path and query of `http://host/path?query`, which a proxy sends.
fn origin_form(target: &str) -> &str {
    match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => target,
    }
}

fn render(answer: &Answer, with_body: bool) -> Vec<u8> {
    let phrase = if answer.status == 200 { "OK" } else { "Service Unavailable" };
    let body = if with_body { &*answer.body } else { "" };
    format!(
        "HTTP/1.1 {} {phrase}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{body}",
        answer.status,
        answer.content_type,
        answer.body.len(),
    )
    .into_bytes()
}

fn status_only(status: &str) -> Vec<u8> {
    let headers = "Content-Length: 0\r\nCache-Control: no-store\r\nConnection: close";
    format!("HTTP/1.1 {status}\r\n{headers}\r\n\r\n").into_bytes()
}

fn send(mut stream: &TcpStream, response: &[u8]) -> io::Result<()> {
    stream.set_write_timeout(Some(ANSWER_TIME))?;
    stream.write_all(response)?;
    stream.shutdown(Shutdown::Write)
}

fn drain(mut stream: &TcpStream, buffer: &mut [u8]) {
    let deadline = Instant::now() + ANSWER_TIME;
    let mut rest = MAX_REST;
    while limit_read(stream, deadline).is_ok() {
        match stream.read(buffer) {
            Ok(read) if read > 0 && read < rest => rest -= read,
            _ => return,
        }
    }
}

fn limit_read(stream: &TcpStream, deadline: Instant) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    stream.set_read_timeout(Some(left))
}
