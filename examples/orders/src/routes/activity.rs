//! `/activity`: what has happened.

use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use underpin_fault::Fault;

use super::Service;

/// A record a line, the oldest first, as long as the log is.
pub(super) async fn stream(State(service): State<Service>) -> Result<Response, Fault> {
    let records = service.activity.read().await?;
    let content_type = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((content_type, Body::from_stream(records)).into_response())
}
