//! The six paths for axum.

use ::axum::{
    Router,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{
    answer::{Answer, PATHS},
    health::Health,
};

impl Health {
    /// The six paths as a router, to be merged with the service's own.
    ///
    /// They are answered by the runtime they report on: prefer [`serve`](crate::serve) for liveness.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        PATHS.iter().fold(Router::new(), |router, &(path, ..)| {
            let health = self.clone();
            let answer = move |uri: Uri| async move {
                let target = uri.path_and_query().map_or(uri.path(), |target| target.as_str());
                match health.respond_to(target) {
                    Some(answer) => answer.into_response(),
                    // Unreachable while the router and `respond_to` read the same table.
                    None => StatusCode::NOT_FOUND.into_response(),
                }
            };
            router.route(path, get(answer))
        })
    }
}

/// The answer with its status and `Cache-Control: no-store`.
impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers =
            [(header::CONTENT_TYPE, self.content_type), (header::CACHE_CONTROL, "no-store")];
        (status, headers, self.body).into_response()
    }
}
