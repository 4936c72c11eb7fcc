//! An HTTP client that hides nothing: one connection that is kept, no retries. It speaks for many users, of whom none has to be limited.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};

/// An answer that takes longer is a failure.
const PATIENCE: Duration = Duration::from_secs(5);

/// Users that it speaks for, in turn.
const USERS: u32 = 100;

pub(super) struct Client {
    address: SocketAddr,
    user: u32,
    connection: Option<BufReader<TcpStream>>,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Client {
        Client { address, user: 0, connection: None }
    }

    pub(super) async fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.request("GET", path, "").await
    }

    pub(super) async fn post(&mut self, path: &str, json: &str) -> io::Result<Answer> {
        self.request("POST", path, json).await
    }

    async fn request(&mut self, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        self.user = (self.user + 1) % USERS;
        let (user, length) = (self.user, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: orders\r\nx-user-id: user-{user}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let answer = timeout(PATIENCE, self.exchange(&request)).await;
        answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn exchange(&mut self, request: &str) -> io::Result<Answer> {
        // Taken, so that one that has failed is not used again.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(self.address).await?,
        };
        connection.write_all(request.as_bytes()).await?;
        let head = read_head(&mut connection).await?;
        let mut body = vec![0; head.length];
        connection.read_exact(&mut body).await?;
        if !head.closes {
            self.connection = Some(connection);
        }
        let body = String::from_utf8(body).map_err(io::Error::other)?;
        Ok(Answer { status: head.status, body })
    }
}

pub(super) async fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

pub(super) struct Head {
    pub(super) status: u16,
    length: usize,
    closes: bool,
}

pub(super) async fn read_head(connection: &mut BufReader<TcpStream>) -> io::Result<Head> {
    let mut head = Head { status: 0, length: 0, closes: false };
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            return Ok(head);
        }
        if let Some(rest) = line.strip_prefix("http/1.") {
            head.status = rest.get(2..5).and_then(|code| code.parse().ok()).unwrap_or(0);
        } else if let Some(length) = line.strip_prefix("content-length: ") {
            head.length = length.parse().map_err(io::Error::other)?;
        } else if line == "connection: close" {
            head.closes = true;
        }
    }
}
