//! Behaviour, against servers on this machine that misbehave as they are told.

#[cfg(feature = "breaker")]
mod breaker;
mod cost;
mod deadlines;
mod dispositions;
mod errors;
mod hedge;
#[cfg(feature = "http2")]
mod http2;
mod idempotency;
#[cfg(feature = "ratelimit")]
mod limits;
mod redirects;
mod requests;
mod responses;
mod resume;
mod retries;
mod server;
#[cfg(feature = "tracing")]
mod telemetry;
mod throttling;
#[cfg(feature = "rustls")]
mod tls;

use std::time::Duration;

use underpin_httpx::{Builder, Client, Retry, reqwest};

use crate::server::Server;

/// A client of this server that loses no time between attempts.
fn builder(server: &Server) -> Builder {
    Client::builder()
        .base_url(server.url())
        .retry(Retry::exponential(millis(1)..=millis(4)))
        .configure(local)
}

/// For servers on this machine: no proxy, and no time spent on the certificates of the system.
fn local(http: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    let http = http.no_proxy();
    #[cfg(feature = "rustls")]
    let http = http.tls_certs_only([]);
    http
}

fn client(server: &Server) -> Client {
    builder(server).build().expect("a client")
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
