//! Serving HTTP so that a stop loses no request: the accept loop.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::{Future, IntoFuture, Ready, ready},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Sender, channel},
    time::{Instant, sleep, timeout},
};
use tower_service::Service;

use self::{activity::Activity, io_stream::Io};
use crate::{events, phase::Phase, shutdown::Shutdown, tracker::InFlight};

mod activity;
mod connection;
mod io_stream;
mod requests;
mod watch;

/// How long to wait when the process has no descriptor left for another connection.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(50);

/// Keeps a limit of `Duration::MAX`, which is none, from overflowing the clock.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Serves HTTP/1 and HTTP/2 on a listener until the shutdown is draining and every connection has come to its end.
///
/// `service` is any [`tower` service](Service) over hyper's request body that can be cloned: an axum `Router`, tonic's `Routes`. Put
/// [`http_layer`](Shutdown::http_layer) around the routes whose requests should be counted.
///
/// ```no_run
/// # async fn example<S, B>(router: S, shutdown: underpin_shutdown::Shutdown) -> std::io::Result<()>
/// # where
/// #     S: tower_service::Service<http::Request<hyper::body::Incoming>, Response = http::Response<B>, Error = std::convert::Infallible>,
/// #     S: Clone + Send + 'static, S::Future: Send,
/// #     B: http_body::Body<Data = bytes::Bytes, Error = std::convert::Infallible> + Send + 'static,
/// # {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// underpin_shutdown::serve(listener, router, &shutdown).await
/// # }
/// ```
///
/// Leaving is two things at two times: clients are asked to go, and later the door is closed.
///
/// | phase | connections | requests on HTTP/1 | requests on HTTP/2 |
/// |---|---|---|---|
/// | running | accepted | served | served |
/// | lame duck | accepted | served, answered with `Connection: close` | served; the connection is told GOAWAY after its first request |
/// | draining | what the kernel has completed is accepted, then the listener is closed | the same | the same |
/// | cancelling | dropped | dropped | dropped |
///
/// In draining, a connection without a request is closed when it has been silent for [`linger`](Serve::linger): a request that was
/// on its way is served. One that does not close its own half then, or does not confirm HTTP/2's GOAWAY, is kept for as long again. A
/// stream without an end goes on until it ends itself at [`Draining`](Phase::Draining), as its handler should, or is cut off at
/// [`Cancelling`](Phase::Cancelling). An upgraded connection counts until it is dropped, wherever it was moved to.
///
/// Connections are counted in the tracker `connections`. Each is a task of the current runtime; the accept loop runs inside of this future.
///
/// What the kernel has not completed when the listener is closed, it resets: a client whose connection takes 20 ms to be
/// made, and who began in the last 20 ms. So nobody may begin then: what sends clients here has to have heard in the lame duck, or another process
/// has to listen on the same socket (systemd's `LISTEN_FDS`), which closes nothing.
///
/// What is left is HTTP/1's own race: a client that was idle through the whole lame duck, and sends its next request while the server
/// closes, has to retry ([RFC 9112, section 9.5](https://www.rfc-editor.org/rfc/rfc9112#section-9.5)). So does a client that sends
/// another request without waiting for the answer to the one before (pipelining): what follows an answer with `Connection: close` is not served
/// ([section 9.6](https://www.rfc-editor.org/rfc/rfc9112#section-9.6)).
///
/// # Errors
///
/// When the listener can accept nothing any more. What is wrong with one connection, or passes, such as having no
/// descriptor left, is no error: the loop goes on.
///
/// # Cancel safety
///
/// Dropping it closes the listener. Connections go on to their end, at the latest until [`Cancelling`](Phase::Cancelling).
///
/// # Panics
///
/// When polled outside of a tokio runtime with time and I/O.
pub fn serve<S>(listener: TcpListener, service: S, shutdown: &Shutdown) -> Serve<S> {
    let limits = Limits {
        handshake: Duration::from_secs(5),
        header: Duration::from_secs(30),
        idle: Duration::from_secs(75),
        linger: Duration::from_millis(500),
    };
    let shutdown = shutdown.clone();
    let handshake: fn(TcpStream) -> _ = |stream| ready(Ok(stream));
    Serve { listener, service, shutdown, limits, tells_peer: false, handshake }
}

/// The server of [`serve`], to be awaited.
#[must_use = "a server does nothing unless awaited"]
pub struct Serve<S, H = fn(TcpStream) -> Ready<io::Result<TcpStream>>> {
    listener: TcpListener,
    service: S,
    shutdown: Shutdown,
    limits: Limits,
    tells_peer: bool,
    handshake: H,
}

/// Where a request came from: in the extensions of every request, if [`Serve::connection_info`] asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionInfo {
    peer: SocketAddr,
}

impl ConnectionInfo {
    /// The other end of the connection: the client, or the proxy in front of us.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }
}

/// How long a connection may take for what.
#[derive(Debug, Clone, Copy)]
struct Limits {
    handshake: Duration,
    header: Duration,
    idle: Duration,
    linger: Duration,
}

impl<S, H> Serve<S, H> {
    /// What is done with each connection before HTTP, in its own task: TLS.
    ///
    /// ```text
    /// let acceptor = tokio_rustls::TlsAcceptor::from(config);
    /// serve(listener, router, &shutdown).handshake(move |stream| acceptor.accept(stream)).await
    /// ```
    ///
    /// A connection whose handshake fails is dropped.
    pub fn handshake<F, Fut, T>(self, handshake: F) -> Serve<S, F>
    where
        F: FnMut(TcpStream) -> Fut,
        Fut: Future<Output = io::Result<T>>,
    {
        let Serve { listener, service, shutdown, limits, tells_peer, .. } = self;
        Serve { listener, service, shutdown, limits, tells_peer, handshake }
    }

    /// Puts a [`ConnectionInfo`] into the extensions of every request, which costs an allocation.
    pub fn connection_info(mut self) -> Serve<S, H> {
        self.tells_peer = true;
        self
    }

    /// How long the [handshake](Serve::handshake) may take, and then, from its first byte on, the preface of HTTP/2: 5 s unless set.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Serve<S, H> {
        self.limits.handshake = timeout.min(YEAR);
        self
    }

    /// How long the head of an HTTP/1 request may take from its first byte on, however steadily it comes in: 30 s unless set.
    pub fn header_timeout(mut self, timeout: Duration) -> Serve<S, H> {
        self.limits.header = timeout.min(YEAR);
        self
    }

    /// How long a connection may be without a request, whatever else it sends: 75 s unless set, which is more than the 60 s of usual load balancers.
    ///
    /// It has to be more than what the balancer allows, for who closes first loses no request.
    pub fn idle_timeout(mut self, timeout: Duration) -> Serve<S, H> {
        self.limits.idle = timeout.min(YEAR);
        self
    }

    /// How long a connection without a request is kept when the service is draining: 500 ms unless set. It has to cover
    /// a client's round trip.
    pub fn linger(mut self, linger: Duration) -> Serve<S, H> {
        self.limits.linger = linger.min(YEAR);
        self
    }
}

impl<S, H, Fut, T, B> IntoFuture for Serve<S, H>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    H: FnMut(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = io::Result<T>> + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Serve { listener, service, shutdown, limits, tells_peer, mut handshake } = self;
            shutdown.set_served();
            // Every connection holds a sender; when all are gone, so are the connections.
            let (alive, mut gone) = channel::<Infallible>(1);
            let connections = shutdown.tracker("connections");
            let stop = shutdown.clone();
            let mut start = move |(stream, peer)| {
                let _ = TcpStream::set_nodelay(&stream, true);
                let stream = handshake(stream);
                let open = Open { _guard: connections.track(), _alive: alive.clone() };
                let info = tells_peer.then_some(ConnectionInfo { peer });
                let activity = Arc::new(Activity::new(stop.clone(), info));
                let service = service.clone();
                drop(tokio::spawn(async move {
                    if let Some(stream) = established(stream, &activity, limits.handshake).await {
                        let io = Io::new(stream, activity.clone(), limits.linger, open);
                        connection::run(io, service, activity, limits).await;
                    }
                }));
            };
            accept(&listener, &shutdown, &mut start).await?;
            empty_the_queue(listener, limits.linger, start).await;
            let _ = gone.recv().await;
            Ok(())
        })
    }
}

/// What keeps the stop waiting for a connection, wherever it was moved to.
struct Open {
    _guard: InFlight,
    _alive: Sender<Infallible>,
}

type Accepted = (TcpStream, SocketAddr);

/// Accepts until the service is draining.
async fn accept(
    listener: &TcpListener,
    shutdown: &Shutdown,
    start: &mut impl FnMut(Accepted),
) -> io::Result<()> {
    let mut draining = pin!(shutdown.at(Phase::Draining));
    let mut out_of_descriptors = pin!(None);
    std::future::poll_fn(|cx| {
        loop {
            if draining.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            if let Some(wait) = out_of_descriptors.as_mut().as_pin_mut() {
                std::task::ready!(Future::poll(wait, cx));
                out_of_descriptors.set(None);
            }
            match std::task::ready!(listener.poll_accept(cx)) {
                Ok(accepted) => start(accepted),
                Err(error) if is_one_connection(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    return Poll::Ready(Err(error));
                }
                Err(error) => {
                    events::accept_failed(&error);
                    out_of_descriptors.set(Some(sleep(OUT_OF_DESCRIPTORS)));
                }
            }
        }
    })
    .await
}

/// Whether only a client is gone: `accept` reports errors of the connection that it would have returned.
fn is_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Accepts what the kernel has completed, for it resets what is in the queue when the listener is closed. This asks the
/// kernel itself, since the runtime may not have heard of the latest ones.
///
/// The queue of a listener that others share, that is filled without a pause, or for which there are no descriptors, is not emptied for longer
/// than `patience`.
async fn empty_the_queue(
    listener: TcpListener,
    patience: Duration,
    mut start: impl FnMut(Accepted),
) {
    let Ok(listener) = listener.into_std() else { return };
    let end = Instant::now() + patience;
    while Instant::now() < end {
        match listener.accept() {
            Ok((stream, peer)) => {
                if stream.set_nonblocking(true).is_ok()
                    && let Ok(stream) = TcpStream::from_std(stream)
                {
                    start((stream, peer));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) if is_one_connection(&error) => {}
            Err(error) => {
                events::accept_failed(&error);
                sleep(OUT_OF_DESCRIPTORS).await;
            }
        }
    }
}

/// The connection after its handshake.
async fn established<T>(
    handshake: impl Future<Output = io::Result<T>>,
    activity: &Activity,
    limit: Duration,
) -> Option<T> {
    let mut handshake = pin!(timeout(limit, handshake));
    let mut cancelled = pin!(activity.shutdown().at(Phase::Cancelling));
    std::future::poll_fn(|cx| match handshake.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(result.ok().and_then(Result::ok)),
        Poll::Pending => cancelled.as_mut().poll(cx).map(|_| None),
    })
    .await
}

impl<S, H> fmt::Debug for Serve<S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
