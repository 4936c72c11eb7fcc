//! What a server says on HTTP/2, frame by frame.

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
    task::{JoinHandle, JoinSet},
};
use underpin_httpx::{Builder, Client, Disposition, Hedge, Kind, Retry, reqwest};

use crate::{local, millis, secs};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

/// What is done about a request.
#[derive(Debug, Clone, Copy)]
enum Act {
    Answer(u16),
    /// Nothing, until the stream is reset.
    Hang,
    /// The headers, and a body that does not end.
    Begin(u16),
    Reset(u32),
    /// The last stream that was processed is the one before.
    GoAwayBefore(u32),
    /// This one is processed, and then the connection is closed.
    GoAwayAfter(u32),
}

struct Server {
    address: SocketAddr,
    /// The connection and the stream of each request.
    seen: Arc<Mutex<Vec<(usize, u32)>>>,
    /// Streams that the client has given up.
    given_up: Arc<watch::Sender<Vec<u32>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// The first requests like this, and all others with 200.
    async fn script(acts: Vec<Act>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let given_up = Arc::new(watch::Sender::new(Vec::new()));
        let shared = (seen.clone(), given_up.clone());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            let acts = Arc::new(acts);
            for connection in 1.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (acts, (seen, given_up)) = (acts.clone(), shared.clone());
                connections.spawn(async move {
                    let next = |stream| {
                        let mut seen = seen.lock().expect("no panic");
                        seen.push((connection, stream));
                        acts.get(seen.len() - 1).copied().unwrap_or(Act::Answer(200))
                    };
                    let _ = serve(stream, next, &given_up).await;
                });
            }
        });
        Server { address, seen, given_up, task }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn seen(&self) -> Vec<(usize, u32)> {
        self.seen.lock().expect("no panic").clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    next: impl Fn(u32) -> Act,
    given_up: &watch::Sender<Vec<u32>>,
) -> io::Result<()> {
    stream.read_exact(&mut [0; 24]).await?;
    frame(&mut stream, SETTINGS, 0, 0, &[]).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let [l1, l2, l3, kind, flags, s1, s2, s3, s4] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, l1, l2, l3]) as usize];
        stream.read_exact(&mut payload).await?;
        let id = u32::from_be_bytes([s1, s2, s3, s4]);
        match kind {
            SETTINGS if flags & 1 == 0 => frame(&mut stream, SETTINGS, 1, 0, &[]).await?,
            PING if flags & 1 == 0 => frame(&mut stream, PING, 1, 0, &payload).await?,
            RESET => given_up.send_modify(|streams| streams.push(id)),
            // The end of the request.
            HEADERS | DATA if flags & 1 == 1 => match next(id) {
                Act::Answer(status) => headers(&mut stream, id, status, true).await?,
                Act::Hang => {}
                Act::Begin(status) => {
                    headers(&mut stream, id, status, false).await?;
                    frame(&mut stream, DATA, 0, id, b"some").await?;
                }
                Act::Reset(code) => {
                    frame(&mut stream, RESET, 0, id, &code.to_be_bytes()).await?;
                }
                Act::GoAwayBefore(code) => goaway(&mut stream, id.saturating_sub(2), code).await?,
                Act::GoAwayAfter(code) => {
                    goaway(&mut stream, id, code).await?;
                    return stream.shutdown().await;
                }
            },
            _ => {}
        }
    }
}

async fn frame(
    stream: &mut TcpStream,
    kind: u8,
    flags: u8,
    id: u32,
    payload: &[u8],
) -> io::Result<()> {
    let length = u32::try_from(payload.len()).expect("a small frame").to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(id.to_be_bytes());
    bytes.extend(payload);
    stream.write_all(&bytes).await
}

async fn headers(stream: &mut TcpStream, id: u32, status: u16, ends: bool) -> io::Result<()> {
    // `:status` is the eighth of the static table; its value follows as it is.
    let mut block = vec![0x08, 3];
    block.extend(status.to_string().bytes());
    frame(stream, HEADERS, 4 | u8::from(ends), id, &block).await
}

async fn goaway(stream: &mut TcpStream, last: u32, code: u32) -> io::Result<()> {
    let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
    frame(stream, GOAWAY, 0, 0, &payload).await
}

fn builder() -> Builder {
    Client::builder()
        .retry(Retry::fixed(millis(1)))
        .configure(|http| local(http).http2_prior_knowledge())
}

fn client() -> Client {
    builder().build().expect("a client")
}

#[tokio::test]
async fn a_refused_stream_was_not_processed_and_a_post_is_sent_again() {
    let server = Server::script(vec![Act::Reset(REFUSED_STREAM)]).await;
    let response = client().post(server.url()).body("1").send().await.expect("a response");
    assert_eq!((response.status().as_u16(), response.attempts()), (200, 2));
    assert_eq!(server.seen(), [(1, 1), (1, 3)]);
}

#[tokio::test]
async fn attempts_are_what_the_server_has_seen() {
    // The client below would repeat it twice by itself, at once and without counting.
    let server = Server::script(vec![Act::Reset(REFUSED_STREAM); 100]).await;
    let error = client().post(server.url()).body("1").send().await.expect_err("refused");
    assert_eq!((error.kind(), error.disposition()), (Kind::Transport, Disposition::NotSent));
    assert_eq!((error.attempts(), server.seen().len()), (4, 4));
}

#[tokio::test]
async fn a_goodbye_that_leaves_the_request_out_was_not_processed() {
    for code in [NO_ERROR, ENHANCE_YOUR_CALM] {
        let server = Server::script(vec![Act::Answer(200), Act::GoAwayBefore(code)]).await;
        let http = client();
        http.get(server.url()).send().await.expect("a response");
        let response = http.post(server.url()).body("1").send().await.expect("a response");
        assert_eq!((response.status().as_u16(), response.attempts()), (200, 2));
        assert_eq!(server.seen(), [(1, 1), (1, 3), (2, 1)]);
    }
}

#[tokio::test]
async fn a_goodbye_that_includes_the_request_may_have_processed_it() {
    for code in [NO_ERROR, INTERNAL_ERROR] {
        let server = Server::script(vec![Act::GoAwayAfter(code)]).await;
        let error = client().post(server.url()).body("1").send().await.expect_err("no answer");
        assert_eq!((error.kind(), error.disposition()), (Kind::Transport, Disposition::Unknown));
        assert_eq!(server.seen().len(), 1);

        let server = Server::script(vec![Act::GoAwayAfter(code)]).await;
        client().get(server.url()).send().await.expect("a response");
        assert_eq!(server.seen(), [(1, 1), (2, 1)]);
    }
}

#[tokio::test]
async fn any_other_reset_may_have_processed_it() {
    for code in [INTERNAL_ERROR, CANCEL, ENHANCE_YOUR_CALM] {
        let server = Server::script(vec![Act::Reset(code)]).await;
        let error = client().post(server.url()).body("1").send().await.expect_err("no answer");
        assert_eq!((error.kind(), error.disposition()), (Kind::Transport, Disposition::Unknown));
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_failed_response_is_dropped_and_not_waited_for() {
    let server = Server::script(vec![Act::Begin(500)]).await;
    let response = client().get(server.url()).send().await.expect("a response");
    assert_eq!((response.attempts(), response.version()), (2, reqwest::Version::HTTP_2));
    assert_eq!(server.seen(), [(1, 1), (1, 3)]);
    // Reading it would have taken its 50 ms.
    assert!(response.elapsed() < secs(5));
}

#[tokio::test]
async fn a_body_has_its_time_here_too() {
    let server = Server::script(vec![Act::Begin(200)]).await;
    let began = std::time::Instant::now();
    let request = client().get(server.url()).attempt_timeout(millis(60)).no_retry();
    let error = request.text().await.expect_err("it does not end");
    assert!(error.is_timeout());
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn the_loser_of_a_hedge_resets_its_stream_and_leaves_the_connection() {
    let server = Server::script(vec![Act::Hang, Act::Answer(200)]).await;
    let http = builder().hedge(Hedge::after(millis(60))).build().expect("a client");
    let response = http.get(server.url()).send().await.expect("a response");
    assert_eq!(response.attempts(), 2);
    assert_eq!(server.seen(), [(1, 1), (1, 3)]);
    let mut given_up = server.given_up.subscribe();
    let reset = given_up.wait_for(|streams| streams[..] == [1]);
    tokio::time::timeout(secs(10), reset).await.expect("in time").expect("a server");
}
