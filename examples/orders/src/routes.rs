//! The HTTP routes, and what everything else gets.

mod activity;
mod body;
mod events;
mod orders;
mod version;

use std::sync::Arc;

use axum::{
    Router,
    http::{Method, Uri},
    middleware::map_response,
    response::Response,
    routing::get,
};
use underpin_fault::{Fault, Kind};
use underpin_health::Health;
use underpin_shutdown::Shutdown;

pub(crate) use self::{
    body::{Fields, JsonBody},
    version::Version,
};
use crate::{activity::Activity, changes::Changes, desk::Desk, live::Live, store::Store, tell};

/// What the handlers work with.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) store: Store,
    pub(crate) desk: Desk,
    pub(crate) live: Live,
    pub(crate) changes: Changes,
    pub(crate) activity: Activity,
    pub(crate) version: Version,
}

pub(crate) fn routes(service: Service, health: &Health, shutdown: &Shutdown) -> Router {
    Router::new()
        .route("/version", get(version::show))
        .route("/activity", get(activity::stream))
        .route("/orders", get(orders::list).post(orders::place))
        .route("/orders/{id}", get(orders::show))
        .route("/orders/{id}/events", get(events::follow))
        .fallback(no_such_page)
        .method_not_allowed_fallback(no_such_method)
        .with_state(service)
        .layer(map_response(tell_of_bugs))
        .layer(shutdown.http_layer("http"))
        // Outside of the layer: probes have to answer to the end, and must not hold it up.
        .merge(health.router())
}

pub(crate) async fn no_such_page(uri: Uri) -> Fault {
    Fault::new(Kind::NotFound, "NOT_FOUND")
        .message("there is no such page")
        .with("path", uri.path())
}

pub(crate) async fn no_such_method(method: Method, uri: Uri) -> Fault {
    Fault::new(Kind::Unimplemented, "METHOD_NOT_ALLOWED")
        .status(405)
        .message("the page does not take this method")
        .with("method", method)
        .with("path", uri.path())
}

/// A client is told that there was an error, and the operator which one.
async fn tell_of_bugs(response: Response) -> Response {
    if let Some(fault) = response.extensions().get::<Arc<Fault>>()
        && fault.kind().is_bug()
    {
        tell(&format!("{fault:#}"));
    }
    response
}
