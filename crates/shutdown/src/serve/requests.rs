//! The requests of a connection, on their way from hyper to a service and back.

use std::{
    cell::RefCell,
    future::Future,
    io::IoSlice,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, Bytes};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header::CONNECTION};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::activity::{Activity, Exchange};

/// What hyper calls.
pub(super) struct Requests<S> {
    /// hyper calls it from the connection's task alone, but through a shared reference.
    service: RefCell<S>,
    activity: Arc<Activity>,
}

pin_project! {
    /// A request that waits for the service to be ready, then for its response.
    pub(super) struct Answer<S>
    where
        S: Service<Request<Incoming>>,
    {
        #[pin]
        stage: Stage<S, S::Future>,
        exchange: Option<Exchange>,
        version: Version,
        is_connect: bool,
    }
}

pin_project! {
    #[project = Now]
    enum Stage<S, F> {
        Waiting { service: S, request: Option<Request<Incoming>> },
        Called { #[pin] future: F },
    }
}

pin_project! {
    /// A response's body, which is in flight until the client was sent all of it.
    pub(super) struct Answered<B> {
        #[pin]
        body: B,
        exchange: Option<Exchange>,
        is_http2: bool,
    }
}

/// Data of a response's body. It takes the request along: HTTP/2 keeps it until the client has room for it, long after the body is gone.
pub(super) struct Piece<D> {
    data: D,
    _exchange: Option<Exchange>,
}

impl<S> Requests<S> {
    pub(super) fn new(service: S, activity: Arc<Activity>) -> Requests<S> {
        Requests { service: RefCell::new(service), activity }
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Requests<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
{
    type Response = Response<Answered<B>>;
    type Error = S::Error;
    type Future = Answer<S>;

    fn call(&self, mut request: Request<Incoming>) -> Answer<S> {
        let exchange = Some(Exchange::begin(&self.activity));
        if let Some(info) = self.activity.info() {
            request.extensions_mut().insert(info);
        }
        let (version, is_connect) = (request.version(), request.method() == Method::CONNECT);
        let mut service = self.service.borrow_mut();
        // Nearly every service is ready at once, and then nothing has to be cloned or kept. Where it is not, or has failed, the answer asks
        // a clone of it again.
        let stage = match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Stage::Called { future: service.call(request) },
            _ => Stage::Waiting { service: service.clone(), request: Some(request) },
        };
        Answer { stage, exchange, version, is_connect }
    }
}

impl<S, B> Future for Answer<S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
{
    type Output = Result<Response<Answered<B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut response = loop {
            match this.stage.as_mut().project() {
                Now::Waiting { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    let Some(request) = request.take() else { return Poll::Pending };
                    let future = service.call(request);
                    this.stage.set(Stage::Called { future });
                }
                Now::Called { future } => break ready!(future.poll(cx))?,
            }
        };
        let Some(exchange) = this.exchange.take() else { return Poll::Pending };
        let (activity, status) = (exchange.activity(), response.status());
        if *this.version > Version::HTTP_11 {
            if *this.is_connect && status.is_success() {
                activity.tunnelled();
            }
        // An upgrade needs this header for itself, and HTTP/2 forbids it (RFC 9113, section 8.2.2).
        } else if activity.shutdown().is_stopping() && status != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let is_http2 = *this.version > Version::HTTP_11;
        Poll::Ready(Ok(response.map(|body| Answered { body, exchange: Some(exchange), is_http2 })))
    }
}

impl<B: Body> Body for Answered<B> {
    type Data = Piece<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece<B::Data>>, B::Error>>> {
        let mut this = self.project();
        let Some(frame) = ready!(this.body.as_mut().poll_frame(cx)?) else {
            return Poll::Ready(None);
        };
        // HTTP/1 keeps the body until it has taken the last piece, and what it cannot send shows in the stream.
        let exchange = if !*this.is_http2 || !frame.is_data() {
            None
        } else if this.body.is_end_stream() {
            this.exchange.take()
        } else {
            this.exchange.as_ref().map(Exchange::part)
        };
        let frame = frame.map_data(|data| Piece { data, _exchange: exchange });
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<D: Buf> Buf for Piece<D> {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
    }

    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        self.data.copy_to_bytes(len)
    }
}
