//! Requests as work in flight: a layer for any service over `http` types.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER},
};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    shutdown::Shutdown,
    tracker::{InFlight, Tracker},
};

/// gRPC's code for "send this to another instance".
const UNAVAILABLE: HeaderValue = HeaderValue::from_static("14");

impl Shutdown {
    /// A layer that counts requests in the tracker of this name, mostly `"http"`.
    ///
    /// A request is in flight until its response's body has ended or was dropped, not until its handler has returned. The handler
    /// finds the [`Shutdown`] in the request's extensions, so that a stream without an end can say goodbye at [`Phase::Draining`](crate::Phase::Draining).
    ///
    /// | phase | what it answers |
    /// |---|---|
    /// | running | what the service does |
    /// | lame duck | the same, and on HTTP/1 `Connection: close`, so that clients open their next connection elsewhere |
    /// | from draining on | 503, `Retry-After: 1`, on HTTP/1 `Connection: close`; to gRPC `UNAVAILABLE` |
    ///
    /// What was admitted before is served. Where `serve` serves, nothing is refused: it closes the door by itself, and what it passes on was on
    /// its way. `Connection: close` is not sent on HTTP/2, where the server says goodbye itself.
    ///
    /// Put it around the routes that do the work, outermost, and leave probes and metrics outside of it: they have to answer to
    /// the end, and must not hold it up.
    pub fn http_layer(&self, tracker: impl Into<crate::Name>) -> HttpLayer {
        HttpLayer { tracker: self.tracker(tracker), shutdown: self.clone() }
    }
}

/// The layer of [`Shutdown::http_layer`].
#[derive(Debug, Clone)]
pub struct HttpLayer {
    tracker: Tracker,
    shutdown: Shutdown,
}

/// The service of [`HttpLayer`].
#[derive(Debug, Clone)]
pub struct HttpService<S> {
    inner: S,
    tracker: Tracker,
    shutdown: Shutdown,
}

pin_project! {
    /// The future of [`HttpService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct HttpFuture<F> {
        #[pin]
        inner: Option<F>,
        // `None` when the request was not admitted.
        guard: Option<InFlight>,
        version: Version,
        // Of a request that was not admitted.
        is_grpc: bool,
    }
}

pin_project! {
    /// The response body of [`HttpService`]: the service's own, which keeps its request in flight, or an empty one.
    pub struct HttpBody<B> {
        #[pin]
        inner: Option<B>,
        guard: Option<InFlight>,
    }
}

impl HttpLayer {
    /// The service with the layer around it: what [`Layer::layer`] does, without the trait.
    ///
    /// Around a whole axum `Router` it is cheaper than `Router::layer`, which boxes every request once more.
    pub fn layer<S>(&self, inner: S) -> HttpService<S> {
        HttpService { inner, tracker: self.tracker.clone(), shutdown: self.shutdown.clone() }
    }
}

impl<S> Layer<S> for HttpLayer {
    type Service = HttpService<S>;

    fn layer(&self, inner: S) -> HttpService<S> {
        self.layer(inner)
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for HttpService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<HttpBody<ResBody>>;
    type Error = S::Error;
    type Future = HttpFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> HttpFuture<S::Future> {
        let version = request.version();
        let guard = match self.tracker.admit() {
            Ok(guard) => guard,
            Err(_) if self.shutdown.is_served() => self.tracker.track(),
            Err(_) => {
                let is_grpc = is_grpc(request.headers());
                return HttpFuture { inner: None, guard: None, version, is_grpc };
            }
        };
        request.extensions_mut().insert(self.shutdown.clone());
        let inner = Some(self.inner.call(request));
        HttpFuture { inner, guard: Some(guard), version, is_grpc: false }
    }
}

impl<F, B, E> Future for HttpFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<HttpBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (mut response, is_leaving) = match this.inner.as_pin_mut() {
            Some(inner) => {
                let response = ready!(inner.poll(cx))?;
                let guard = this.guard.take();
                let is_leaving = guard.as_ref().is_some_and(InFlight::is_leaving);
                (response.map(|inner| HttpBody { inner: Some(inner), guard }), is_leaving)
            }
            None => (refusal(*this.is_grpc), true),
        };
        // An upgrade needs this header for itself.
        let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if is_leaving && *this.version <= Version::HTTP_11 && !is_upgrade {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(response))
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

fn refusal<B>(is_grpc: bool) -> Response<HttpBody<B>> {
    let mut response = Response::new(HttpBody { inner: None, guard: None });
    if is_grpc {
        // A gRPC error is a response of status 200 that is all trailers.
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(HeaderName::from_static("grpc-status"), UNAVAILABLE);
        let message = HeaderValue::from_static("the service is stopping");
        headers.insert(HeaderName::from_static("grpc-message"), message);
    } else {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

impl<B: Body> Body for HttpBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else { return Poll::Ready(None) };
        let frame = ready!(inner.poll_frame(cx));
        if frame.is_none() {
            // A connection may keep the body for a while after its end.
            this.guard.take();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// An empty body, as some routers need one.
impl<B> Default for HttpBody<B> {
    fn default() -> HttpBody<B> {
        HttpBody { inner: None, guard: None }
    }
}

impl<F> fmt::Debug for HttpFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFuture")
            .field("admitted", &self.guard.is_some())
            .finish_non_exhaustive()
    }
}

impl<B> fmt::Debug for HttpBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpBody").field("in_flight", &self.guard.is_some()).finish_non_exhaustive()
    }
}
