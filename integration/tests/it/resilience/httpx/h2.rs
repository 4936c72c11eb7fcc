//! A scripted HTTP/2 server, frame by frame: a library would not let us break the rules.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

/// What is done to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// Answered with this status, once all of it has come. The body is [`BODY`].
    Answer(u16),
    /// `RST_STREAM` with `REFUSED_STREAM`, as soon as its head has come: it was not looked at.
    Refuse,
    /// `RST_STREAM` with this code, once all of it has come, without an answer.
    Reset(u32),
    /// The head of an answer with the length of its body, half of that, and `RST_STREAM` with this code.
    ResetInBody(u32),
    /// GOAWAY whose last stream is before this one, and the end of the connection.
    GoAwayBelow,
    /// The same, and the connection stays open for what else is on it.
    GoAwayBelowOpen,
    /// GOAWAY with this code whose last stream is this one, and the end of the connection without an answer.
    GoAwayDropped(u32),
    /// GOAWAY whose last stream is this one, then the answer.
    GoAwayAnswered,
    /// GOAWAY whose last stream is the first one of the connection, which is answered; all others wait for that.
    GoAwayAfterFirst,
    /// The head of an answer to HEAD, with the length of what there would be.
    Head,
    /// The head of an answer, and frames of DATA with nothing in them, until the connection ends.
    EndlessNothing,
    /// The connection ends without a word.
    Close,
    /// Nothing.
    Hang,
}

pub(super) const REFUSED_STREAM: u32 = 7;
pub(super) const INTERNAL_ERROR: u32 = 2;
pub(super) const CANCEL: u32 = 8;

/// Of every answer.
pub(super) const BODY: &[u8] = b"\"hello\"";

/// A request whose head has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    pub(super) connection: usize,
    /// All of it has come, so the server may have acted on it.
    pub(super) is_complete: bool,
}

/// Ends with the value.
pub(super) struct Server {
    address: SocketAddr,
    log: Arc<Log>,
    accepting: AbortHandle,
}

struct Log {
    script: Box<dyn Fn(usize) -> Deed + Send + Sync>,
    streams: Mutex<Vec<Stream>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    /// The script is told which request it is, counted from 0.
    pub(super) async fn start(script: impl Fn(usize) -> Deed + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let log = Arc::new(Log { script: Box::new(script), streams: Mutex::default() });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&log))).abort_handle();
        Server { address, log, accepting }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn streams(&self) -> Vec<Stream> {
        self.log.streams().clone()
    }
}

impl Log {
    fn streams(&self) -> std::sync::MutexGuard<'_, Vec<Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, log: Arc<Log>) {
    let mut connections = JoinSet::new();
    for connection in 0.. {
        let Ok((stream, _)) = listener.accept().await else { return };
        while connections.try_join_next().is_some() {}
        let log = Arc::clone(&log);
        connections.spawn(async move {
            // It ends when the client has had enough.
            let _ = Peer { stream, log: &log, connection, open: Vec::new() }.serve().await;
        });
    }
}

struct Peer<'a> {
    stream: TcpStream,
    log: &'a Log,
    connection: usize,
    /// The requests that have not ended: their id, their order, and what is to be done.
    open: Vec<(u32, usize, Deed)>,
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

/// Of DATA and HEADERS; of SETTINGS and PING it is ACK.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Peer<'_> {
    async fn serve(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let mut preface = [0; PREFACE.len()];
        self.stream.read_exact(&mut preface).await?;
        assert_eq!(preface, PREFACE, "a client that speaks HTTP/2");
        self.send(SETTINGS, 0, 0, &[]).await?;
        loop {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let (kind, flags) = (head[3], head[4]);
            let id = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
            let mut payload = vec![0; length as usize];
            self.stream.read_exact(&mut payload).await?;
            match kind {
                SETTINGS if flags & END_STREAM == 0 => {
                    self.send(SETTINGS, END_STREAM, 0, &[]).await?;
                }
                PING if flags & END_STREAM == 0 => self.send(PING, END_STREAM, 0, &payload).await?,
                HEADERS => self.begins(id).await?,
                RST_STREAM => self.open.retain(|open| open.0 != id),
                _ => {}
            }
            if matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
                self.ends(id).await?;
            }
        }
    }

    async fn begins(&mut self, id: u32) -> io::Result<()> {
        let order = {
            let mut streams = self.log.streams();
            streams.push(Stream { connection: self.connection, is_complete: false });
            streams.len() - 1
        };
        let deed = (self.log.script)(order);
        match deed {
            Deed::Refuse => self.reset(id, REFUSED_STREAM).await,
            Deed::GoAwayBelowOpen => self.go_away(id - 1, 0).await,
            Deed::GoAwayAfterFirst => {
                self.go_away(1, 0).await?;
                self.answer(1, 200, BODY, END_STREAM).await
            }
            Deed::GoAwayBelow => {
                self.go_away(id - 1, 0).await?;
                self.close().await
            }
            _ => {
                self.open.push((id, order, deed));
                Ok(())
            }
        }
    }

    async fn ends(&mut self, id: u32) -> io::Result<()> {
        let Some(at) = self.open.iter().position(|open| open.0 == id) else { return Ok(()) };
        let (_, order, deed) = self.open.remove(at);
        self.log.streams()[order].is_complete = true;
        match deed {
            Deed::Answer(status) => self.answer(id, status, BODY, END_STREAM).await,
            Deed::Reset(code) => self.reset(id, code).await,
            Deed::ResetInBody(code) => {
                self.answer(id, 200, &BODY[..BODY.len() / 2], 0).await?;
                self.reset(id, code).await
            }
            Deed::GoAwayDropped(code) => {
                self.go_away(id, code).await?;
                self.close().await
            }
            Deed::GoAwayAnswered => {
                self.go_away(id, 0).await?;
                self.answer(id, 200, BODY, END_STREAM).await
            }
            Deed::Head => self.send(HEADERS, END_HEADERS | END_STREAM, id, &head(200)).await,
            Deed::EndlessNothing => {
                self.send(HEADERS, END_HEADERS, id, &head(200)[..5]).await?;
                loop {
                    self.send(DATA, 0, id, &[]).await?;
                }
            }
            Deed::Close => self.close().await,
            Deed::Hang
            | Deed::Refuse
            | Deed::GoAwayBelow
            | Deed::GoAwayBelowOpen
            | Deed::GoAwayAfterFirst => Ok(()),
        }
    }

    async fn answer(&mut self, id: u32, status: u16, body: &[u8], flags: u8) -> io::Result<()> {
        self.send(HEADERS, END_HEADERS, id, &head(status)).await?;
        self.send(DATA, flags, id, body).await
    }

    async fn reset(&mut self, id: u32, code: u32) -> io::Result<()> {
        self.send(RST_STREAM, 0, id, &code.to_be_bytes()).await
    }

    async fn go_away(&mut self, last: u32, code: u32) -> io::Result<()> {
        let mut payload = last.to_be_bytes().to_vec();
        payload.extend(code.to_be_bytes());
        self.send(GOAWAY, 0, 0, &payload).await
    }

    /// So that all that was sent arrives.
    async fn close(&mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        let mut buffer = [0; 4096];
        while self.stream.read(&mut buffer).await? > 0 {}
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    async fn send(&mut self, kind: u8, flags: u8, id: u32, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).expect("a small frame").to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(id.to_be_bytes());
        frame.extend(payload);
        self.stream.write_all(&frame).await
    }
}

/// HPACK: literals that are not indexed, with the names of entry 8, `:status`, and of entry 28, `content-length`.
fn head(status: u16) -> Vec<u8> {
    let mut head = vec![0x08, 3];
    head.extend(status.to_string().as_bytes());
    head.extend([0x0f, 28 - 15, 1, b'0' + u8::try_from(BODY.len()).expect("a digit")]);
    head
}
