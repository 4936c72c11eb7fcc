//! Faults as clients that are not ours, nor Rust, see them.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    io,
    net::SocketAddr,
    path::Path,
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, extract, routing::get};
use serde_json::{Value, json};
use testkit::{or_skip, python, run};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
};
use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::{BoxFuture, Service, http},
    server::{Grpc, NamedService, UnaryService},
    transport::{Server, server::TcpIncoming},
};
use tonic_prost::ProstCodec;
use underpin_fault::{Fault, Kind};

/// In every text that no client may see.
const CANARY: &str = "canary-91c2";

fn fault(name: &str) -> Fault {
    let fault = match name {
        "missing" => Fault::new(Kind::NotFound, "order.missing")
            .message("there is no such order")
            .expose("order_id", 42),
        "limited" => Fault::new(Kind::ResourceExhausted, "RATE_LIMITED")
            .message("zu viele Anfragen, später ☕\nwieder")
            .retry_after(Duration::from_millis(1500)),
        "payment" => Fault::new(Kind::Unavailable, "PAYMENT_ERROR").status(502),
        _ => Fault::bug(CANARY).message(CANARY).expose("member", CANARY),
    };
    fault.with("context", CANARY).caused_by(io::Error::other(CANARY))
}

/// Starts the Python client against a server and returns what it printed for each fault.
fn ask(python: &testkit::Tool, runtime: &Runtime, protocol: &str, address: SocketAddr) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fault_client.py");
    let mut command = python.command();
    command.arg(script).args([
        protocol,
        &address.to_string(),
        "missing",
        "limited",
        "payment",
        "bug",
    ]);
    let output = run(command, Duration::from_secs(30));
    assert!(output.status.success(), "{}\n{}", output.stdout, output.stderr);
    // Of every answer, the script also prints all that arrived: headers, trailers, body.
    assert!(!output.stdout.contains(CANARY), "{}", output.stdout);
    assert!(runtime.metrics().num_alive_tasks() > 0, "the server went down");
    serde_json::from_str(&output.stdout)
        .unwrap_or_else(|error| panic!("{error} in {}", output.stdout))
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

fn listen(runtime: &Runtime) -> (TcpListener, SocketAddr) {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

#[test]
fn a_grpcio_client_reads_code_reason_and_retry() {
    let python = or_skip!(python(&["grpcio", "grpcio-status"]));
    let runtime = runtime();
    let (listener, address) = listen(&runtime);
    runtime.spawn(
        Server::builder().add_service(Faults).serve_with_incoming(TcpIncoming::from(listener)),
    );

    let answers = ask(&python, &runtime, "grpc", address);
    let domain = "orders.example.com";
    assert_eq!(
        answers["missing"]["read"],
        json!({"code": 5, "message": "there is no such order", "reason": "order.missing", "domain": domain,
               "metadata": {"order_id": "42"}, "retry": null})
    );
    assert_eq!(
        answers["limited"]["read"],
        json!({"code": 8, "message": "zu viele Anfragen, später ☕\nwieder", "reason": "RATE_LIMITED", "domain": domain,
               "metadata": {}, "retry": 1.5})
    );
    assert_eq!(
        answers["payment"]["read"],
        json!({"code": 14, "message": "UNAVAILABLE", "reason": "PAYMENT_ERROR", "domain": domain, "metadata": {}, "retry": null})
    );
    assert_eq!(
        answers["bug"]["read"],
        json!({"code": 13, "message": "internal error", "reason": "INTERNAL", "domain": domain, "metadata": {}, "retry": null})
    );
}

#[test]
fn a_python_client_reads_the_problem_document() {
    let python = or_skip!(python(&[]));
    let runtime = runtime();
    let (listener, address) = listen(&runtime);
    let handler =
        |extract::Path(name): extract::Path<String>| async move { Err::<(), Fault>(fault(&name)) };
    runtime.spawn(async move {
        axum::serve(listener, Router::new().route("/{name}", get(handler))).await
    });

    let answers = ask(&python, &runtime, "http", address);
    let answer = |status: u16, retry_after: Value, body: Value| json!({"status": status, "content_type": "application/problem+json", "retry_after": retry_after, "body": body});
    assert_eq!(
        answers["missing"]["read"],
        answer(
            404,
            Value::Null,
            json!({"type": "about:blank", "title": "Not Found", "status": 404, "kind": "NOT_FOUND",
               "detail": "there is no such order", "code": "order.missing", "order_id": "42"})
        )
    );
    assert_eq!(
        answers["limited"]["read"],
        answer(
            429,
            json!("2"),
            json!({"type": "about:blank", "title": "Too Many Requests", "status": 429,
               "kind": "RESOURCE_EXHAUSTED", "detail": "zu viele Anfragen, später ☕\nwieder", "code": "RATE_LIMITED",
               "retry_after": 1.5})
        )
    );
    assert_eq!(
        answers["payment"]["read"],
        answer(
            502,
            Value::Null,
            json!({"type": "about:blank", "title": "Bad Gateway", "status": 502, "kind": "UNAVAILABLE",
               "code": "PAYMENT_ERROR"})
        )
    );
    assert_eq!(
        answers["bug"]["read"],
        answer(
            500,
            Value::Null,
            json!({"type": "about:blank", "title": "Internal Server Error", "status": 500,
               "kind": "INTERNAL", "code": "INTERNAL"})
        )
    );
}

/// A gRPC service whose every method fails with the fault of its name.
#[derive(Clone)]
struct Faults;

impl NamedService for Faults {
    const NAME: &'static str = "underpin.test.Faults";
}

impl Service<http::Request<Body>> for Faults {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let name = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        Box::pin(async move {
            Ok(Grpc::new(ProstCodec::<(), ()>::default()).unary(Method(name), request).await)
        })
    }
}

struct Method(String);

impl UnaryService<()> for Method {
    type Response = ();
    type Future = Ready<Result<Response<()>, Status>>;

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Err(fault(&self.0).into_status("orders.example.com")))
    }
}
