//! The order service: what a user of these crates runs first and copies from.
//!
//! It loads its configuration with `underpin-config`, answers errors through `underpin-fault`, and serves `/version`.

mod rate;
mod routes;
mod settings;

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
};

use tokio::net::TcpListener;
use underpin_config::Config as _;
use underpin_fault::PanicHook;

use crate::{
    routes::Version,
    settings::{Environment, Settings},
};

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        return fail(2, &format!("orders takes no arguments, and {} is one", argument.display()));
    }
    let settings = Settings::load_or_exit();
    match run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &format!("orders: {error}")),
    }
}

fn run(settings: Settings) -> io::Result<()> {
    PanicHook::new().install()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(settings))
}

async fn serve(settings: Settings) -> io::Result<()> {
    // A service on a developer's machine has no business on its network.
    let host = match settings.app_env {
        Environment::Development => Ipv4Addr::LOCALHOST,
        Environment::Staging | Environment::Production => Ipv4Addr::UNSPECIFIED,
    };
    let address = SocketAddr::from((host, settings.port));
    let listener = TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot listen on {address}: {error}: set PORT to another port"),
        )
    })?;
    tell(&format!("orders listens on http://{address}: try curl http://{address}/version"));
    let version = Version { service: settings.otel_service_name, environment: settings.app_env };
    axum::serve(listener, routes::routes(&version)).await
}

fn fail(code: u8, message: &str) -> ExitCode {
    tell(message);
    ExitCode::from(code)
}

/// Writes a line for the person at the terminal; nobody there is no error.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
