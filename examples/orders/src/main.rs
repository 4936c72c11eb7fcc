//! The order service: what a user of these crates runs first and copies from.
//!
//! It loads its configuration with `underpin-config`, answers errors through `underpin-fault` and probes through
//! `underpin-health`, stops by `underpin-shutdown`, and serves `/version`.

mod rate;
mod routes;
mod settings;

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr},
    process::{ExitCode, Termination as _},
};

use tokio::net::TcpListener;
use underpin_config::Config as _;
use underpin_fault::PanicHook;
use underpin_health::Health;
use underpin_shutdown::{App, Phase, Plan, Shutdown};

use crate::{
    routes::Version,
    settings::{Environment, Settings},
};

fn main() -> ExitCode {
    // First of all: from here on no signal is lost.
    let app = App::new("orders").plan(Plan::detect());
    if let Some(argument) = std::env::args_os().nth(1) {
        return fail(2, &format!("orders takes no arguments, and {} is one", argument.display()));
    }
    let settings = Settings::load_or_exit();
    if let Err(error) = PanicHook::new().install() {
        return fail(1, &format!("orders cannot report panics: {error}"));
    }
    app.run(|shutdown| serve(settings, shutdown)).report()
}

async fn serve(settings: Settings, shutdown: Shutdown) -> io::Result<()> {
    // A service on a developer's machine has no business on its network.
    let host = match settings.app_env {
        Environment::Development => Ipv4Addr::LOCALHOST,
        Environment::Staging | Environment::Production => Ipv4Addr::UNSPECIFIED,
    };
    let address = SocketAddr::from((host, settings.port));
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let what = format!("cannot listen on {address}: {error}: set PORT to another port");
        io::Error::new(error.kind(), what)
    })?;

    let lifecycle = shutdown.clone();
    let health = Health::new().gate("lifecycle", move || lifecycle.phase() == Phase::Running);
    // Until the drain; what it answers from then on is fixed.
    drop(health.run(shutdown.at(Phase::Draining).unit()));
    let version = Version { service: settings.otel_service_name, environment: settings.app_env };
    let routes = routes::routes(&version, &health, &shutdown);

    tell(&format!("orders listens on http://{address}: try curl http://{address}/version"));
    axum::serve(listener, routes).with_graceful_shutdown(shutdown.at(Phase::Draining).unit()).await
}

fn fail(code: u8, message: &str) -> ExitCode {
    tell(message);
    ExitCode::from(code)
}

/// Writes a line for the person at the terminal; nobody there is no error.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
