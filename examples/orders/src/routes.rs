//! The HTTP routes, and what everything else gets.

use axum::{
    Router,
    extract::State,
    http::{Method, Uri, header},
    response::IntoResponse,
    routing::get,
};
use underpin_fault::{Fault, Kind};
use underpin_health::Health;
use underpin_shutdown::Shutdown;

use crate::settings::Environment;

/// What `/version` tells.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) service: String,
    pub(crate) environment: Environment,
}

pub(crate) fn routes(version: &Version, health: &Health, shutdown: &Shutdown) -> Router {
    Router::new()
        .route("/version", get(show_version))
        .fallback(no_such_page)
        .method_not_allowed_fallback(no_such_method)
        .with_state(version.to_json())
        .layer(shutdown.http_layer("http"))
        // Outside of the layer: probes have to answer to the end, and must not hold it up.
        .merge(health.router())
}

async fn show_version(State(document): State<String>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document)
}

async fn no_such_page(uri: Uri) -> Fault {
    Fault::new(Kind::NotFound, "NOT_FOUND")
        .message("there is no such page")
        .with("path", uri.path())
}

async fn no_such_method(method: Method, uri: Uri) -> Fault {
    Fault::new(Kind::Unimplemented, "METHOD_NOT_ALLOWED")
        .status(405)
        .message("the page does not take this method")
        .with("method", method)
        .with("path", uri.path())
}

impl Version {
    fn to_json(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        serde_json::json!({ "service": self.service, "version": version, "environment": self.environment.name() }).to_string()
    }
}
