//! A server that answers as it is told, byte by byte.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// From 1 on, over all connections.
    pub(crate) number: usize,
    /// From 1 on.
    pub(crate) connection: usize,
    pub(crate) method: String,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(is, _)| is == name).map(|(_, value)| &**value)
    }
}

/// What is done about a request, one after the other.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Nothing more, until the client closes the connection.
    Hang,
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<watch::Sender<Vec<Seen>>>,
    /// Connections that have ended.
    ended: Arc<watch::Sender<Vec<usize>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers each request with these steps.
    pub(crate) async fn new(answer: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(watch::Sender::new(Vec::new()));
        let ended = Arc::new(watch::Sender::new(Vec::new()));
        let shared = (seen.clone(), ended.clone());
        let task = tokio::spawn(async move {
            let answer = Arc::new(answer);
            let connections = Mutex::new(tokio::task::JoinSet::new());
            for connection in 1.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (answer, (seen, ended)) = (answer.clone(), shared.clone());
                connections.lock().expect("no panic").spawn(async move {
                    let _ = serve(stream, connection, &*answer, &seen).await;
                    ended.send_modify(|ended| ended.push(connection));
                });
            }
        });
        Server { address, seen, ended, task }
    }

    /// Answers the first requests like this, and all others with 200.
    pub(crate) async fn script(answers: Vec<Vec<Step>>) -> Server {
        Server::new(move |seen| answers.get(seen.number - 1).cloned().unwrap_or_else(|| ok("fine")))
            .await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// What came in so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.borrow().len()
    }

    /// Waits until so many requests have come in.
    pub(crate) async fn wait_for(&self, count: usize) {
        wait(&self.seen, |seen| seen.len() >= count).await;
    }

    /// Waits until this connection has ended.
    pub(crate) async fn wait_for_end(&self, connection: usize) {
        wait(&self.ended, |ended| ended.contains(&connection)).await;
    }
}

async fn wait<T>(of: &watch::Sender<T>, is_so: impl FnMut(&T) -> bool) {
    let mut changes = of.subscribe();
    let waiting = changes.wait_for(is_so);
    tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .expect("in time")
        .expect("a server");
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    answer: &(impl Fn(&Seen) -> Vec<Step> + ?Sized),
    seen: &watch::Sender<Vec<Seen>>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        let Some(mut request) = read_request(&mut stream, &mut buffer).await? else {
            return Ok(());
        };
        request.connection = connection;
        seen.send_modify(|seen| {
            request.number = seen.len() + 1;
            seen.push(request.clone());
        });
        for step in answer(&request) {
            match step {
                Step::Send(bytes) => stream.write_all(&bytes).await?,
                Step::Wait(time) => tokio::time::sleep(time).await, // sleep-ok: a slow server
                Step::Hang => {
                    while stream.read(&mut [0; 64]).await? > 0 {}
                    return Ok(());
                }
                Step::Close => return stream.shutdown().await,
                Step::Reset => {
                    stream.set_zero_linger()?;
                    return Ok(());
                }
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Seen>> {
    let end = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end);
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, path) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let of = |name: &str| headers.iter().find(|(is, _)| is == name).map(|(_, value)| value.clone());
    let length = match of("content-length") {
        Some(length) => length.parse().expect("a length"),
        None if of("transfer-encoding").is_some() => loop {
            if let Some(end) = find(buffer, b"0\r\n\r\n") {
                break end + 5;
            }
            if stream.read_buf(buffer).await? == 0 {
                return Ok(None);
            }
        },
        None => 0,
    };
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let body = String::from_utf8_lossy(&buffer[..length]).into_owned();
    buffer.drain(..length);
    Ok(Some(Seen { number: 0, connection: 0, method, path, headers, body }))
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// Bytes as they are.
pub(crate) fn raw(text: impl AsRef<[u8]>) -> Step {
    Step::Send(text.as_ref().to_vec())
}

pub(crate) fn ok(body: &str) -> Vec<Step> {
    answer(200, "", body)
}

pub(crate) fn status(status: u16) -> Vec<Step> {
    answer(status, "", "oops")
}

/// Headers end with a line break each.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Vec<Step> {
    vec![raw(format!(
        "HTTP/1.1 {status} Whatever\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    ))]
}

/// A body of so many bytes that ends early, and so does the connection.
pub(crate) fn broken(headers: &str, length: usize, body: &str) -> Vec<Step> {
    let head = format!("HTTP/1.1 200 OK\r\n{headers}content-length: {length}\r\n\r\n{body}");
    vec![raw(head), Step::Close]
}
