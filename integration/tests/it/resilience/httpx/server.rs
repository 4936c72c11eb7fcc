//! A scripted HTTP/1 server: it does to each request what the test says, byte for byte, and remembers what had arrived.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

/// No connection of a test lives longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is done to a request, in this order. After the last step the connection is kept for the next request.
pub(super) enum Step {
    /// Reads until so many bytes of the request have arrived, or all of it.
    Read(usize),
    Send(Vec<u8>),
    /// One byte, a pause, one byte, ...
    Trickle(Vec<u8>, Duration),
    /// The same again and again, until the client has had enough.
    Endless(Vec<u8>),
    Pause(Duration),
    /// What was sent arrives; nothing comes after it.
    Fin,
    /// What was sent may be lost.
    Reset,
    /// Nothing happens until the client gives up.
    Hang,
    /// What comes next depends on what has arrived.
    Then(Next),
}

type Next = Box<dyn FnOnce(&Seen) -> Vec<Step> + Send>;

impl Step {
    /// Reads all of the request.
    pub(super) const READ: Step = Step::Read(usize::MAX);

    pub(super) fn send(bytes: impl Into<Vec<u8>>) -> Step {
        Step::Send(bytes.into())
    }

    pub(super) fn then(next: impl FnOnce(&Seen) -> Vec<Step> + Send + 'static) -> Step {
        Step::Then(Box::new(next))
    }
}

/// Which request it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// Counted from 0.
    pub(super) order: usize,
}

/// What has arrived of a request.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// Which one of its connection, counted from 0.
    pub(super) nth: usize,
    pub(super) raw: Vec<u8>,
}

impl Seen {
    /// The server has all of it, so it may have acted on it.
    pub(super) fn is_complete(&self) -> bool {
        split(&self.raw).is_some_and(|(head, rest)| body(head, rest).is_some())
    }

    pub(super) fn method(&self) -> String {
        self.words().next().unwrap_or_default().to_owned()
    }

    pub(super) fn target(&self) -> String {
        self.words().nth(1).unwrap_or_default().to_owned()
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        let line = self.raw.split(|&byte| byte == b'\r').next().unwrap_or_default();
        str::from_utf8(line).unwrap_or_default().split(' ')
    }

    pub(super) fn header(&self, name: &str) -> Option<String> {
        header(split(&self.raw)?.0, name).map(str::to_owned)
    }

    pub(super) fn key(&self) -> Option<String> {
        self.header("idempotency-key")
    }

    /// All of it, without its framing.
    pub(super) fn body(&self) -> Option<Vec<u8>> {
        let (head, rest) = split(&self.raw)?;
        body(head, rest)
    }
}

type Script = dyn Fn(Turn) -> Vec<Step> + Send + Sync;

/// Ends with the value.
pub(super) struct Server {
    address: SocketAddr,
    log: Arc<Log>,
    accepting: AbortHandle,
}

struct Log {
    script: Box<Script>,
    connections: AtomicUsize,
    open: AtomicUsize,
    seen: Mutex<Vec<Seen>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    /// Asks the script what to do as soon as a request has begun to arrive.
    pub(super) async fn start(
        script: impl Fn(Turn) -> Vec<Step> + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let log = Arc::new(Log {
            script: Box::new(script),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            seen: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&log))).abort_handle();
        Server { address, log, accepting }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many were accepted.
    pub(super) fn connections(&self) -> usize {
        self.log.connections.load(Ordering::SeqCst)
    }

    /// How many have not ended.
    pub(super) fn open(&self) -> usize {
        self.log.open.load(Ordering::SeqCst)
    }

    /// All requests of which a byte has come, in the order of their beginning.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.log.seen().clone()
    }

    /// Those of which all has come.
    pub(super) fn complete(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(Seen::is_complete).collect()
    }

    pub(super) fn forget(&self) {
        self.log.seen().clear();
    }
}

impl Log {
    fn seen(&self) -> std::sync::MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, log: Arc<Log>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        log.connections.fetch_add(1, Ordering::SeqCst);
        log.open.fetch_add(1, Ordering::SeqCst);
        let log = Arc::clone(&log);
        connections.spawn(async move {
            let _ = timeout(PATIENCE, Peer { stream, log: &log }.serve()).await;
            log.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

struct Peer<'a> {
    stream: TcpStream,
    log: &'a Log,
}

/// The connection is at its end.
struct Over;

impl Peer<'_> {
    async fn serve(mut self) {
        let _ = self.stream.set_nodelay(true);
        for nth in 0.. {
            // The script may want to close before a byte was read.
            let mut first = [0];
            if !matches!(self.stream.peek(&mut first).await, Ok(1)) {
                return;
            }
            let order = {
                let mut seen = self.log.seen();
                seen.push(Seen { nth, raw: Vec::new() });
                seen.len() - 1
            };
            let mut steps = (self.log.script)(Turn { order });
            steps.reverse();
            while let Some(step) = steps.pop() {
                if let Step::Then(next) = step {
                    let seen = self.log.seen()[order].clone();
                    steps.extend(next(&seen).into_iter().rev());
                } else if self.step(order, step).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn step(&mut self, order: usize, step: Step) -> Result<(), Over> {
        match step {
            Step::Read(bytes) => self.read(order, bytes).await,
            Step::Send(bytes) => self.send(&bytes).await,
            Step::Trickle(bytes, pause) => {
                for byte in bytes {
                    self.send(&[byte]).await?;
                    sleep(pause).await; // sleep-ok: a slow server is what the test is about
                }
                Ok(())
            }
            Step::Endless(bytes) => loop {
                self.send(&bytes).await?;
            },
            Step::Pause(pause) => {
                sleep(pause).await; // sleep-ok: a slow server is what the test is about
                Ok(())
            }
            Step::Fin => {
                let _ = self.stream.shutdown().await;
                // With unread bytes, closing would reset.
                self.drain().await;
                Err(Over)
            }
            Step::Reset => {
                let _ = self.stream.set_zero_linger();
                Err(Over)
            }
            Step::Hang => {
                self.drain().await;
                Err(Over)
            }
            Step::Then(_) => Ok(()),
        }
    }

    async fn read(&mut self, order: usize, bytes: usize) -> Result<(), Over> {
        let mut buffer = [0; 4096];
        loop {
            let raw = {
                let seen = self.log.seen();
                if seen[order].is_complete() { bytes } else { seen[order].raw.len() }
            };
            let most = bytes.saturating_sub(raw).min(buffer.len());
            if most == 0 {
                return Ok(());
            }
            match self.stream.read(&mut buffer[..most]).await {
                Ok(0) | Err(_) => return Err(Over),
                Ok(read) => self.log.seen()[order].raw.extend(&buffer[..read]),
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Over> {
        self.stream.write_all(bytes).await.map_err(|_| Over)
    }

    async fn drain(&mut self) {
        let mut buffer = [0; 4096];
        while matches!(self.stream.read(&mut buffer).await, Ok(1..)) {}
    }
}

/// A whole head, and what came after it.
fn split(raw: &[u8]) -> Option<(&str, &[u8])> {
    let end = raw.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    Some((str::from_utf8(&raw[..end]).ok()?, &raw[end + 4..]))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The body, if all of it is there.
fn body(head: &str, rest: &[u8]) -> Option<Vec<u8>> {
    if header(head, "transfer-encoding").is_some() {
        return unchunk(rest);
    }
    let length = header(head, "content-length").map_or(Some(0), |length| length.parse().ok())?;
    rest.get(..length).map(<[u8]>::to_vec)
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|bytes| bytes == b"\r\n")?;
        let size = usize::from_str_radix(str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
        rest = &rest[line + 2..];
        body.extend(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
        if size == 0 {
            return Some(body);
        }
    }
}
