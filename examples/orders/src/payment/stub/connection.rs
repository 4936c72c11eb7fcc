//! Connections that can end as bad ones do: with a reset, in place of an answer.

use std::{
    convert::Infallible,
    error::Error,
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Bytes;
use axum::{
    body::{Body, HttpBody},
    extract::Request,
    response::{IntoResponse, Response},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tower_service::Service;

/// In place of an answer: the connection is reset.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reset;

impl IntoResponse for Reset {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(self);
        response
    }
}

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is to be reset")
    }
}

impl Error for Reset {}

/// A service whose [`Reset`] is an error, upon which the server drops the connection.
#[derive(Debug, Clone)]
pub(super) struct Resetting<S>(pub(super) S);

impl<S, B> Service<axum::http::Request<B>> for Resetting<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
{
    type Response = Response;
    type Error = Reset;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Reset>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Reset>> {
        self.0.poll_ready(cx).map_err(|never| match never {})
    }

    fn call(&mut self, request: axum::http::Request<B>) -> Self::Future {
        let answer = self.0.call(request.map(Body::new));
        Box::pin(async move {
            let response = answer.await.unwrap_or_else(|never| match never {});
            response.extensions().get().copied().map_or(Ok(response), Err)
        })
    }
}

/// A stream that is reset when it is dropped, unless it was shut down before: an HTTP server shuts down what ends well.
#[derive(Debug)]
pub(super) struct Abrupt {
    stream: TcpStream,
    is_shut_down: bool,
}

impl Abrupt {
    pub(super) fn new(stream: TcpStream) -> Abrupt {
        Abrupt { stream, is_shut_down: false }
    }
}

impl Drop for Abrupt {
    fn drop(&mut self) {
        if !self.is_shut_down {
            // What cannot be reset is closed.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Abrupt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Abrupt {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_shut_down = true;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
