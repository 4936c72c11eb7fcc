//! The service that is restarted: one router, served by `axum::serve` or by ours.
//!
//! It has the routes of `examples/orders`, over a file that all its processes append to.

mod routes;
mod store;

use std::{
    env, io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use listenfd::ListenFd;
use tokio::net::TcpListener;
use underpin_shutdown::{App, Phase, Plan, Report, Shutdown};

use self::store::Store;

/// Who serves the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// `axum::serve` with its graceful shutdown at the beginning of the drain.
    Axum,
    /// `underpin_shutdown::serve` and its HTTP layer.
    Underpin,
}

impl Server {
    /// Both, in the order of the tables.
    pub const ALL: [Server; 2] = [Server::Axum, Server::Underpin];

    /// What stands in the tables and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Server::Axum => "axum::serve",
            Server::Underpin => "underpin_shutdown::serve",
        }
    }
}

/// Runs the service until a signal stops it: on the listener it was handed, or on `PORT`.
pub fn run(server: Server) -> Report {
    let plan = Plan::new().lame_duck(lame_duck());
    App::new("fixture").plan(plan).run(move |shutdown| serve(server, shutdown))
}

async fn serve(server: Server, shutdown: Shutdown) -> io::Result<()> {
    let listener = listener().await?;
    let store = Store::open(env::var_os("DATA").unwrap_or_else(|| "orders.jsonl".into()).into())?;
    let address = listener.local_addr()?;
    let router = routes::routes(store, &shutdown);
    eprintln!("fixture listens on http://{address}");
    match server {
        Server::Axum => {
            let stop = shutdown.at(Phase::Draining).unit();
            axum::serve(listener, router).with_graceful_shutdown(stop).await
        }
        Server::Underpin => {
            let app = shutdown.http_layer("http").layer(router);
            underpin_shutdown::serve(listener, app, &shutdown).await
        }
    }
}

async fn listener() -> io::Result<TcpListener> {
    if let Some(listener) = ListenFd::from_env().take_tcp_listener(0)? {
        listener.set_nonblocking(true)?;
        return TcpListener::from_std(listener);
    }
    let port = env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(0);
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

/// `LAME_DUCK`, as `500ms` or `2s`; none without it.
fn lame_duck() -> Duration {
    let Ok(text) = env::var("LAME_DUCK") else { return Duration::ZERO };
    let millis = match text.strip_suffix("ms") {
        Some(millis) => millis.parse().ok(),
        None => text
            .strip_suffix('s')
            .and_then(|seconds| seconds.parse::<u64>().ok())
            .map(|seconds| seconds * 1000),
    };
    Duration::from_millis(millis.expect("LAME_DUCK is a number with ms or s behind it"))
}
