//! What a client adds to a request that succeeds at once: a small GET and a small POST of JSON, on a connection that is kept.
//!
//! The server answers from a thread of its own, so that what is counted is the client's. All clients run on one thread, and each has a connection of its own.
//! The feature `tracing` is on in ours, and nobody listens.

use std::{convert::Infallible, future::Future, net::TcpListener, thread, time::Duration};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Bytes, body::Incoming, server::conn::http1};
use hyper_util::rt::TokioIo;
use measure::{Shared, print, run_shared};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use reqwest_retry::{RetryTransientMiddleware, policies::ExponentialBackoff};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use underpin_breaker::{Breaker, Breakers};
use underpin_httpx::Client;

const BATCHES: usize = 101;
const BATCH: Duration = Duration::from_millis(10);

/// Requests in a piece of work.
const REQUESTS: u32 = 10;

#[derive(Serialize, Deserialize)]
struct Order {
    id: u64,
    name: String,
}

/// Prints the tables.
pub fn tables() {
    print("a GET that succeeds", &run_shared(gets(), 1, BATCHES, BATCH));
    print("a POST that succeeds", &run_shared(posts(), 1, BATCHES, BATCH));
}

/// Each reads a small answer. The first one is the client below alone.
pub fn gets() -> Vec<Shared> {
    let base = server();
    let ours = |client: Client, url: String| async move {
        client.get(url).json::<Order>().await.expect("it is answered").id
    };
    vec![
        requests("reqwest", &base, bare, |client, url| async move {
            let response = client.get(url).send().await.expect("it is answered");
            response.json::<Order>().await.expect("it is an order").id
        }),
        requests("underpin-httpx", &base, plain, ours),
        requests("underpin-httpx, breaker", &base, with_breaker, ours),
        requests("underpin-httpx, everything", &base, with_everything, |client, _| async move {
            client.get("orders").json::<Order>().await.expect("it is answered").id
        }),
        requests("reqwest-middleware, -retry", &base, with_middleware, |client, url| async move {
            let response = client.get(url).send().await.expect("it is answered");
            response.json::<Order>().await.expect("it is an order").id
        }),
    ]
}

/// Each sends an order, and reads a small answer.
pub fn posts() -> Vec<Shared> {
    let base = server();
    let ours = |client: Client, url: String| async move {
        client.post(url).body_json(&order()).json::<Order>().await.expect("it is answered").id
    };
    vec![
        requests("reqwest", &base, bare, |client, url| async move {
            let response = client.post(url).json(&order()).send().await.expect("it is answered");
            response.json::<Order>().await.expect("it is an order").id
        }),
        requests("underpin-httpx", &base, plain, ours),
        requests("underpin-httpx, breaker", &base, with_breaker, ours),
        requests("underpin-httpx, everything", &base, with_everything, |client, _| async move {
            let request = client.post("orders").body_json(&order()).idempotent();
            request.json::<Order>().await.expect("it is answered").id
        }),
        requests("reqwest-middleware, -retry", &base, with_middleware, |client, url| async move {
            let response = client.post(url).json(&order()).send().await.expect("it is answered");
            response.json::<Order>().await.expect("it is an order").id
        }),
    ]
}

fn order() -> Order {
    Order { id: 7, name: "a small order".to_owned() }
}

fn bare(_: &str) -> reqwest::Client {
    reqwest::Client::new()
}

/// What there is without a setting: a deadline, limits, retries within a budget.
fn plain(_: &str) -> Client {
    Client::builder().build().expect("the settings are valid")
}

fn with_breaker(_: &str) -> Client {
    Client::builder().breaker(Breaker::new("bench")).build().expect("the settings are valid")
}

/// A breaker for each host, limits of all kinds, and URLs that are relative.
fn with_everything(base: &str) -> Client {
    let breakers = Breakers::new(100, |host: &String| Breaker::new(host.clone()));
    let client = Client::builder().base_url(base).breakers(breakers);
    client.read_timeout(Duration::from_secs(5)).build().expect("the settings are valid")
}

fn with_middleware(_: &str) -> ClientWithMiddleware {
    let policy = ExponentialBackoff::builder().build_with_max_retries(3);
    ClientBuilder::new(reqwest::Client::new())
        .with(RetryTransientMiddleware::new_with_policy(policy))
        .build()
}

fn requests<C, F>(
    name: &'static str,
    base: &str,
    client: fn(&str) -> C,
    request: impl Fn(C, String) -> F + Copy + Send + 'static,
) -> Shared
where
    C: Clone + Send + 'static,
    F: Future<Output = u64>,
{
    let base = base.to_owned();
    Shared::new(name, move || {
        let (runtime, client, url) = (runtime(), client(&base), format!("{base}orders"));
        Box::new(move || {
            runtime.block_on(async {
                for _ in 0..REQUESTS {
                    assert_eq!(request(client.clone(), url.clone()).await, 7);
                }
            });
        })
    })
    .of(REQUESTS)
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}

/// Answers as long as the program runs, and says where.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
    listener.set_nonblocking(true).expect("it can be");
    thread::spawn(|| {
        runtime().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
            loop {
                let (stream, _) = listener.accept().await.expect("there is a connection");
                stream.set_nodelay(true).expect("it is a socket");
                let service = hyper::service::service_fn(answer);
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(async {
                    // A client that goes away is no failure.
                    let _ = connection.await;
                });
            }
        });
    });
    url
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let _ = request.into_body().collect().await;
    let answer = Bytes::from_static(br#"{"id":7,"name":"a small order"}"#);
    let response = Response::builder().header("content-type", "application/json");
    Ok(response.body(Full::new(answer)).expect("it is well formed"))
}
