//! A client that shares nothing with the server: bytes over a socket.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

pub(super) struct Client(TcpStream);

/// A response: its head, and its body without the framing.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Client {
        Client(TcpStream::connect(address).await.expect("it listens"))
    }

    /// One that lets the server send as little as possible before it reads.
    pub(super) async fn narrow(address: SocketAddr) -> Client {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(1).expect("the kernel's minimum");
        Client(socket.connect(address).await.expect("it listens"))
    }

    /// Sends nothing further.
    pub(super) async fn finish(&mut self) {
        let _ = self.0.shutdown().await;
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("the server reads");
    }

    pub(super) async fn get(&mut self, path: &str) -> Response {
        self.request(path).await;
        self.response().await
    }

    pub(super) async fn request(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
    }

    /// Reads one response, of a length or in chunks, to its end.
    pub(super) async fn response(&mut self) -> Response {
        let head = self.until(b"\r\n\r\n").await;
        let head = String::from_utf8(head).expect("a head").to_ascii_lowercase();
        let mut body = Vec::new();
        if let Some(length) = field(&head, "content-length") {
            body = vec![0; length.parse().expect("a length")];
            self.0.read_exact(&mut body).await.expect("all of the body");
        } else if field(&head, "transfer-encoding") == Some("chunked") {
            loop {
                let size = self.until(b"\r\n").await;
                let size = std::str::from_utf8(&size).expect("a size").trim();
                let size = usize::from_str_radix(size, 16).expect("a size");
                let mut chunk = vec![0; size + 2];
                self.0.read_exact(&mut chunk).await.expect("all of the chunk");
                if size == 0 {
                    break;
                }
                body.extend_from_slice(&chunk[..size]);
            }
        }
        Response { head, body }
    }

    async fn until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end) {
            bytes.push(self.0.read_u8().await.expect("more of the response"));
        }
        bytes
    }

    pub(super) async fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).await.expect("more bytes");
        bytes
    }

    /// One frame of HTTP/2: its type, its flags, its payload. `None` when the server has closed.
    pub(super) async fn frame(&mut self) -> Option<(u8, u8, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let payload = self.read(usize::from(head[1]) * 256 + usize::from(head[2])).await;
        Some((head[3], head[4], payload))
    }

    /// Waits for the server to close, without a reset and without another byte.
    pub(super) async fn closed(&mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).await.expect("a close, not a reset");
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    /// Waits for the server to close, however it does.
    pub(super) async fn gone(&mut self) {
        self.rest().await;
    }

    /// All that comes until the server closes, however it does.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest).await;
        rest
    }
}

impl From<TcpStream> for Client {
    fn from(stream: TcpStream) -> Client {
        Client(stream)
    }
}

impl Response {
    pub(super) fn is_ok(&self) -> bool {
        self.head.starts_with("http/1.1 200 ")
    }

    pub(super) fn says_close(&self) -> bool {
        field(&self.head, "connection") == Some("close")
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
}
