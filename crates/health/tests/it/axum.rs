//! The router, asked without a network.

use axum::{
    Router,
    body::Body,
    http::{Method, Request},
};
use tower_service::Service as _;
use underpin_health::Health;

use crate::help::paused;

#[test]
fn the_router_answers_the_six_paths_uncached() {
    paused(async {
        let health = Health::new();
        let mut router: Router = health.router();
        for (path, status) in [
            ("/livez", 200),
            ("/readyz", 503),
            ("/startupz", 503),
            ("/health/live", 200),
            ("/health/ready", 503),
            ("/health/startup", 503),
            ("/other", 404),
        ] {
            for method in [Method::GET, Method::HEAD] {
                let request = Request::builder().method(method).uri(path).body(Body::empty());
                let response = router.call(request.expect("valid")).await.expect("infallible");
                assert_eq!(response.status(), status, "{path}");
                let cached =
                    response.headers().get("cache-control").map(axum::http::HeaderValue::as_bytes);
                assert_eq!(cached, (status != 404).then_some(&b"no-store"[..]), "{path}");
            }
        }
    });
}
