//! Faults as axum's answers.

use std::sync::Arc;

use ::axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{Fault, Problem};

/// The fault's [problem document](Fault::problem).
///
/// The fault itself travels in the response's extensions as `Arc<Fault>`, which never reaches the client: an access log
/// reads it there, and a middleware that knows the request id answers with
/// `fault.problem().with_request_id(id)` in its place.
impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.problem().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// The document with its status, `application/problem+json`, and `Retry-After` where it says when.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let content_type =
            [(header::CONTENT_TYPE, HeaderValue::from_static(Problem::CONTENT_TYPE))];
        let retry_after = self
            .retry_after_seconds()
            .map(|seconds| [(header::RETRY_AFTER, HeaderValue::from(seconds))]);
        match retry_after {
            Some(retry_after) => {
                (status, content_type, retry_after, self.to_json()).into_response()
            }
            None => (status, content_type, self.to_json()).into_response(),
        }
    }
}
