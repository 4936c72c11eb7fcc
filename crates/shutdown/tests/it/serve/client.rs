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
        Client::from(TcpStream::connect(address).await.expect("it listens"))
    }

    /// One that lets the server send no more than about so much before it reads.
    pub(super) async fn narrow(address: SocketAddr, bytes: u32) -> Client {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(bytes).expect("a size");
        Client::from(socket.connect(address).await.expect("it listens"))
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

    /// Sends the preface of HTTP/2 and settings that are all the usual ones.
    pub(super) async fn preface(&mut self) {
        self.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        self.send([0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
    }

    /// Asks for a path in stream 1.
    pub(super) async fn headers(&mut self, path: &str) {
        let length = u8::try_from(path.len()).expect("a short one");
        // GET, http, a literal path, and the authority `t`.
        let block = [&[0x82, 0x86, 0x04, length], path.as_bytes(), &[0x01, 1, b't']].concat();
        let length = u8::try_from(block.len()).expect("a short one");
        self.send([&[0, 0, length, 1, 5, 0, 0, 0, 1], &block[..]].concat()).await;
    }

    /// Lets the server send so much more, in stream 1 and altogether.
    pub(super) async fn credit(&mut self, bytes: u32) {
        for stream in [0, 1] {
            let head = [0, 0, 4, 8, 0, 0, 0, 0, stream];
            self.send([&head[..], &bytes.to_be_bytes()].concat()).await;
        }
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
        // The kernel would hold back small writes for a time that is not the test's.
        stream.set_nodelay(true).expect("a socket");
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
