//! HTTP/1.1 on a socket, as strict as can be: what is not a whole answer is a failure, and nothing is ever sent twice.

use std::{
    io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use super::Kind;

/// How long a connection or an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that may be used until an answer says otherwise.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    host: SocketAddr,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Whether the server will close the connection.
    pub(crate) closes: bool,
}

/// No whole answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

/// How the end of the body is known.
enum Length {
    Known(u64),
    Chunked,
    None,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Connection, Failure> {
        let refused = |error: io::Error| match error.kind() {
            ErrorKind::TimedOut => Failure::new(Kind::TimedOut, "no connection"),
            _ => Failure::new(Kind::Refused, error.to_string()),
        };
        let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(refused)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        Ok(Connection { stream: BufReader::new(stream), host: address })
    }

    /// Sends one request and reads its answer to the end.
    pub(crate) fn exchange(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&str>,
    ) -> Result<Answer, Failure> {
        self.send(method, path, body)?;
        self.receive()
    }

    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&str>,
    ) -> Result<(), Failure> {
        let host = self.host;
        let request = match body {
            None => format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n\r\n"),
            Some(body) => format!(
                "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            ),
        };
        let sent = self.stream.get_mut().write_all(request.as_bytes());
        sent.map_err(|error| Failure::new(Kind::Reset, format!("while sending: {error}")))
    }

    pub(crate) fn receive(&mut self) -> Result<Answer, Failure> {
        let line = match self.line() {
            Err(Failure { kind: Kind::Truncated, text }) => {
                return Err(Failure::new(Kind::Reset, format!("before the answer: {text}")));
            }
            line => line?,
        };
        let malformed = |what: &str| Failure::new(Kind::Truncated, format!("bad {what}"));
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status: u16 = status.ok_or_else(|| malformed(&format!("status line {line:?}")))?;
        let mut closes = false;
        let mut length = Length::None;
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| malformed("header"))?;
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "connection" => closes |= value.eq_ignore_ascii_case("close"),
                "transfer-encoding" if value == "chunked" => length = Length::Chunked,
                "content-length" => {
                    length = Length::Known(value.parse().map_err(|_| malformed("length"))?);
                }
                _ => {}
            }
        }
        let body = match length {
            Length::Known(length) => self.exactly(length)?,
            Length::Chunked => self.chunks()?,
            Length::None => return Err(malformed("answer: neither length nor chunks")),
        };
        Ok(Answer { status, body, closes })
    }

    fn chunks(&mut self) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(digits, 16)
                .map_err(|_| Failure::new(Kind::Truncated, format!("bad chunk size {line:?}")))?;
            body.extend(self.exactly(size)?);
            // The line end of the chunk, or the trailers: none are expected.
            if !self.line()?.is_empty() {
                return Err(Failure::new(Kind::Truncated, "chunk without its end"));
            }
            if size == 0 {
                return Ok(body);
            }
        }
    }

    /// A line without its end.
    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line);
        read.map_err(|error| Failure::of_read(&error))?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => Err(Failure::new(Kind::Truncated, format!("the end after {line:?}"))),
        }
    }

    fn exactly(&mut self, length: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let read = (&mut self.stream).take(length).read_to_end(&mut bytes);
        read.map_err(|error| Failure::of_read(&error))?;
        if bytes.len() as u64 == length {
            return Ok(bytes);
        }
        Err(Failure::new(Kind::Truncated, format!("{} of {length} bytes", bytes.len())))
    }
}

impl Failure {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Failure {
        Failure { kind, text: text.into() }
    }

    fn of_read(error: &io::Error) -> Failure {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                Failure::new(Kind::TimedOut, "no answer")
            }
            // Taken for `Reset` by the caller if nothing of the answer was there.
            _ => Failure::new(Kind::Truncated, error.to_string()),
        }
    }
}
