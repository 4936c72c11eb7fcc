//! The service under test.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONNECTION, UPGRADE},
};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use tower_service::Service;
use underpin_shutdown::{ConnectionInfo, HttpService, Phase, Shutdown, Stopped};

use crate::virtual_time::{pass, secs};

pub(super) const BIG: usize = 16 * 1024 * 1024;
/// No more than hyper takes at once, so that the service is done with it before the client has it.
pub(super) const MEDIUM: usize = 400 * 1024;
/// No more than the kernel takes at once.
pub(super) const SMALL: usize = 60 * 1000;

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Its routes behind the HTTP layer, as a service would have them.
pub(super) type App = HttpService<Routes>;

pub(super) fn app(shutdown: &Shutdown) -> App {
    shutdown.http_layer("http").layer(Routes)
}

#[derive(Clone)]
pub(super) struct Routes;

impl Service<Request<Incoming>> for Routes {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        Box::pin(async move { Ok(answer(request).await) })
    }
}

async fn answer(request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    match path.as_str() {
        "/peer" => {
            let peer = request.extensions().get::<ConnectionInfo>().expect("the server's").peer();
            text(peer.to_string())
        }
        "/slow" => {
            pass(secs(3)).await;
            text("slow")
        }
        "/big" => text(vec![b'x'; BIG]),
        "/medium" => text(vec![b'x'; MEDIUM]),
        "/pieces" => Response::new(Pieces(2).boxed_unsync()),
        "/small" => text(vec![b'x'; SMALL]),
        "/echo" => text(request.into_body().collect().await.expect("a body").to_bytes()),
        // Does not read the body.
        "/early" => {
            let mut response = text("too large");
            *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            response
        }
        "/events" => Response::new(Events(Some(draining(&request))).boxed_unsync()),
        "/upgrade" => upgrade(request),
        _ => text("hello"),
    }
}

fn draining(request: &Request<Incoming>) -> Stopped {
    request.extensions().get::<Shutdown>().expect("the layer's").at(Phase::Draining)
}

fn text(body: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(body.into()).boxed_unsync())
}

/// Goes over to a protocol that says `bye` two seconds after draining began.
fn upgrade(request: Request<Incoming>) -> Answer {
    let draining = draining(&request);
    let is_connect = request.method() == Method::CONNECT;
    drop(tokio::spawn(async move {
        let upgraded = hyper::upgrade::on(request).await.expect("an upgrade");
        let mut upgraded = Box::pin(upgraded);
        draining.await;
        pass(secs(2)).await;
        let write =
            |cx: &mut Context<'_>| hyper::rt::Write::poll_write(upgraded.as_mut(), cx, b"bye");
        poll_fn(write).await.expect("somebody listens");
    }));
    let mut response = text("");
    if !is_connect {
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("bye"));
    }
    response
}

/// So many pieces, the last of which does not say so.
struct Pieces(usize);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let left = self.0.checked_sub(1);
        self.0 = left.unwrap_or(0);
        Poll::Ready(left.map(|_| Ok(Frame::data(vec![b'x'; MEDIUM].into()))))
    }
}

/// A stream that has no end but the service's.
struct Events(Option<Stopped>);

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(draining) = &mut self.0 else { return Poll::Ready(None) };
        if Pin::new(draining).poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.0 = None;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"goodbye")))))
    }
}
