//! One connection: which protocol it speaks, and hyper's side of it.

use std::{
    error::Error,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use super::{
    Limits,
    activity::Activity,
    io_stream::{Io, Protocol},
    requests::Requests,
    watch::{Connection, Watch},
};

type Http1<T, S> = http1::UpgradeableConnection<TokioIo<Io<T>>, Requests<S>>;
type Http2<T, S> = http2::Connection<TokioIo<Io<T>>, Requests<S>, TokioExecutor>;

/// Serves a connection to its end.
pub(super) async fn run<T, S, B>(io: Io<T>, service: S, activity: Arc<Activity>, limits: Limits)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut watch = Watch::new(activity.clone(), limits);
    let Some(Some((protocol, io))) = watch.over(First(Some(io))).await else { return };
    let (io, requests) = (TokioIo::new(io), Requests::new(service, activity));
    // How a connection ended interests its client only.
    let _ = if protocol == Protocol::Http2 {
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.enable_connect_protocol();
        watch.over(http.serve_connection(io, requests)).await
    } else {
        let http = http1::Builder::new();
        watch.over(http.serve_connection(io, requests).with_upgrades()).await
    };
}

/// A connection whose protocol nobody knows yet.
struct First<T>(Option<Io<T>>);

impl<T: AsyncRead + AsyncWrite + Unpin> Future for First<T> {
    type Output = Option<(Protocol, Io<T>)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(io) = &mut self.0 else { return Poll::Ready(None) };
        io.poll_protocol(cx).map(|protocol| Some((protocol?, self.0.take()?)))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection for First<T> {
    const PROTOCOL: Protocol = Protocol::Any;

    fn retire(mut self: Pin<&mut Self>) {
        self.0 = None;
    }
}

impl<T, S, B> Connection for Http1<T, S>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    const PROTOCOL: Protocol = Protocol::Http1;

    fn retire(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<T, S, B> Connection for Http2<T, S>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    const PROTOCOL: Protocol = Protocol::Http2;

    fn retire(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
