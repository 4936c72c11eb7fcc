//! Just enough of an HTTP server for cargo: one request a connection, on a loopback port of its own.

use std::{
    io::{self, BufRead as _, BufReader, Read, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

/// The head of a request is not longer.
const MAX_HEAD: u64 = 16 * 1024;
/// No body is larger; the public registry takes 10 MiB.
const MAX_BODY: u64 = 32 * 1024 * 1024;
/// A peer that stays silent for so long is dropped.
const SILENCE: Duration = Duration::from_secs(10);

/// A running server. Dropping it closes the port.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// What the peer calls this server.
    pub(crate) host: String,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: &'static str,
    pub(crate) body: Vec<u8>,
}

impl Server {
    /// Answers every request by `answer`; its error is a 400 with the reason.
    pub(crate) fn start<F>(answer: F) -> Result<Server>
    where
        F: Fn(&Request) -> Result<Answer> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no loopback port")?;
        let address = listener.local_addr()?;
        let stopping = Arc::new(AtomicBool::new(false));
        let (stop, answer) = (Arc::clone(&stopping), Arc::new(answer));
        let accept = move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                let (Ok(stream), answer) = (stream, Arc::clone(&answer)) else { continue };
                // Cargo asks for several crates at once, and may open a connection before it has something to say. The limits on
                // time and size end these threads.
                thread::spawn(move || converse(stream, &*answer));
            }
        };
        let thread = thread::Builder::new().name("registry".to_owned()).spawn(accept)?;
        Ok(Server { address, stopping, thread: Some(thread) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        // The thread waits for a connection, and nothing else wakes it.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}

impl Answer {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Answer {
        Answer { status: "200 OK", body: body.into() }
    }

    pub(crate) fn found(body: Option<Vec<u8>>) -> Answer {
        body.map_or(Answer { status: "404 Not Found", body: Vec::new() }, Answer::ok)
    }

    /// The form in which a registry gives its reasons.
    pub(crate) fn refused(status: &'static str, detail: &str) -> Answer {
        let body = json!({ "errors": [{ "detail": detail }] }).to_string();
        Answer { status, body: body.into() }
    }
}

/// A peer that breaks off is its own affair.
fn converse(mut stream: TcpStream, answer: &dyn Fn(&Request) -> Result<Answer>) {
    let answer = read_request(&stream)
        .and_then(|request| answer(&request))
        .unwrap_or_else(|error| Answer::refused("400 Bad Request", &format!("{error:#}")));
    let head = format!(
        "HTTP/1.1 {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.status,
        answer.body.len()
    );
    let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&answer.body));
    // Closing with bytes unread would reset the connection, and a refused peer would lose the reason.
    if sent.and_then(|()| stream.shutdown(Shutdown::Write)).is_ok() {
        let _ = io::copy(&mut stream.take(MAX_BODY), &mut io::sink());
    }
}

fn read_request(stream: &TcpStream) -> Result<Request> {
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    let mut reader = BufReader::new(stream.take(MAX_HEAD));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = words.next().zip(words.next()).context("not an HTTP request")?;
    let (mut host, mut length) = (String::new(), 0);
    loop {
        line.clear();
        ensure!(
            reader.read_line(&mut line)? > 0,
            "the head of the request is cut off or above {MAX_HEAD} bytes"
        );
        let Some((key, value)) = line.split_once(':') else {
            break;
        };
        match (key.to_ascii_lowercase().as_str(), value.trim()) {
            ("host", value) => value.clone_into(&mut host),
            ("content-length", value) => {
                length = value.parse().context("content-length is not a number")?;
            }
            _ => {}
        }
    }
    ensure!(length <= MAX_BODY, "the upload has {length} bytes, above the limit of {MAX_BODY}");
    reader.get_mut().set_limit(length);
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    ensure!(body.len() as u64 == length, "the body is cut off");
    Ok(Request { method, path, host, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(server: &Server, request: &str) -> String {
        let mut stream = TcpStream::connect(server.address()).expect("the server listens");
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the server answers");
        answer
    }

    #[test]
    fn a_request_arrives_whole_and_gets_its_answer() {
        let echo = |request: &Request| {
            let Request { method, path, host, body } = request;
            Ok(Answer::ok(format!("{method} {host}{path} {}", String::from_utf8_lossy(body))))
        };
        let server = Server::start(echo).expect("a server");
        let answer =
            say(&server, "PUT /here HTTP/1.1\r\nHost: it\r\nContent-Length: 5\r\n\r\nhello");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\ncontent-length: 17\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nPUT it/here hello"), "{answer}");
    }

    #[test]
    fn nonsense_is_refused_with_a_reason_and_leaves_the_server_up() {
        let server = Server::start(|_| Ok(Answer::found(None))).expect("a server");
        let endless = format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(20_000));
        for (request, reason) in [
            ("\r\n\r\n", "not an HTTP request"),
            ("PUT / HTTP/1.1\r\ncontent-length: many\r\n\r\n", "content-length is not a number"),
            ("PUT / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", "above the limit of"),
            (&endless, "cut off or above 16384 bytes"),
        ] {
            let answer = say(&server, request);
            assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(reason), "{answer}");
        }
        assert!(say(&server, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
    }

    #[test]
    fn a_dropped_server_closes_its_port() {
        let server = Server::start(|_| Ok(Answer::found(None))).expect("a server");
        let address = server.address();
        drop(server);
        assert!(TcpStream::connect(address).is_err());
    }
}
