//! The HTTP layer: what is admitted, how long it is in flight, and what those hear who come too late.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    Request, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER},
};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full};
use tower_service::Service;
use underpin_shutdown::{HttpBody, HttpService, Phase, Plan, Reason, Shutdown};

use crate::virtual_time::run;

/// Answers with the phase, which it takes from the request.
#[derive(Clone)]
struct Handler;

impl Service<Request<()>> for Handler {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let shutdown = request.extensions().get::<Shutdown>().expect("the layer puts it there");
        ready(Ok(Response::new(Full::from(shutdown.phase().to_string()))))
    }
}

fn service(plan: Plan) -> (Shutdown, HttpService<Handler>) {
    let shutdown = Shutdown::new(plan);
    let service = shutdown.http_layer("http").layer(Handler);
    (shutdown, service)
}

async fn get(
    service: &mut HttpService<Handler>,
    version: Version,
) -> Response<HttpBody<Full<Bytes>>> {
    let mut request = Request::new(());
    *request.version_mut() = version;
    service.call(request).await.expect("it is infallible")
}

async fn text(response: Response<HttpBody<Full<Bytes>>>) -> String {
    let bytes = response.into_body().collect().await.expect("it is infallible").to_bytes();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn stop(shutdown: &Shutdown) {
    shutdown.trigger(Reason::Signal(15));
}

#[test]
fn request_is_in_flight_until_its_body_ends() {
    run(async {
        let (shutdown, mut service) = service(Plan::new());
        let http = shutdown.tracker("http");
        let response = get(&mut service, Version::HTTP_11).await;
        assert_eq!(response.headers().get(CONNECTION), None);
        assert_eq!(http.len(), 1, "the handler has returned, its body is still to be sent");
        let mut body = response.into_body();
        assert_eq!(body.size_hint().exact(), Some(7));
        while let Some(frame) = body.frame().await {
            assert_eq!(frame.expect("it is infallible").into_data().ok(), Some("running".into()));
        }
        assert_eq!(http.len(), 0, "the body has ended, even though it is still there");
        drop(body);
        drop(get(&mut service, Version::HTTP_11).await);
        assert_eq!(http.len(), 0, "the client has gone away");
    });
}

#[test]
fn dropped_request_is_no_longer_in_flight() {
    let (shutdown, mut service) = service(Plan::new());
    let call = service.call(Request::new(()));
    assert_eq!(shutdown.tracker("http").len(), 1);
    drop(call);
    assert_eq!(shutdown.tracker("http").len(), 0);
}

#[test]
fn lame_duck_serves_and_closes_connections_of_http_1() {
    run(async {
        let (shutdown, mut service) = service(Plan::kubernetes());
        stop(&shutdown);
        for version in [Version::HTTP_10, Version::HTTP_11] {
            let response = get(&mut service, version).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()[CONNECTION], "close");
            assert_eq!(text(response).await, "lame duck");
        }
        let response = get(&mut service, Version::HTTP_2).await;
        assert_eq!(response.headers().get(CONNECTION), None);
        assert_eq!(text(response).await, "lame duck");
    });
}

#[test]
fn draining_refuses_with_503() {
    run(async {
        let (shutdown, mut service) = service(Plan::new());
        let admitted = get(&mut service, Version::HTTP_11).await;
        stop(&shutdown);
        let refused = get(&mut service, Version::HTTP_11).await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()[RETRY_AFTER], "1");
        assert_eq!(refused.headers()[CONNECTION], "close");
        assert_eq!(text(refused).await, "");
        let over_http_2 = get(&mut service, Version::HTTP_2).await;
        assert_eq!(over_http_2.headers().get(CONNECTION), None);
        assert_eq!(text(admitted).await, "running");
    });
}

#[test]
fn draining_refuses_grpc_with_unavailable() {
    run(async {
        let (shutdown, mut service) = service(Plan::new());
        stop(&shutdown);
        let request = Request::builder()
            .version(Version::HTTP_2)
            .header(CONTENT_TYPE, "application/grpc+proto")
            .body(())
            .expect("a request");
        let refused = service.call(request).await.expect("it is infallible");
        assert_eq!(refused.status(), StatusCode::OK);
        assert_eq!(refused.headers()["grpc-status"], "14");
        assert_eq!(refused.headers()["grpc-message"], "the service is stopping");
        assert!(refused.body().is_end_stream());
    });
}

#[test]
fn stop_waits_for_the_body() {
    run(async {
        let (shutdown, mut service) = service(Plan::new());
        let response = get(&mut service, Version::HTTP_11).await;
        stop(&shutdown);
        let draining = shutdown.at(Phase::Draining);
        tokio::spawn(async move {
            draining.await;
            tokio::time::sleep(std::time::Duration::from_secs(3)).await; // sleep-ok: virtual time
            text(response).await
        });
        let report = shutdown.complete().await;
        assert_eq!(report.used().as_secs(), 3);
        assert_eq!(report.exit_code(), 0, "{report}");
    });
}
