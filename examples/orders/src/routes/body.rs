//! A JSON body, of which nothing is believed.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{
        DefaultBodyLimit, FromRequest, Request,
        rejection::{BytesRejection, FailedToBufferBody},
    },
    http::{HeaderMap, header},
};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use underpin_fault::{Fault, Kind};

use crate::order::invalid;

/// Bytes that a body may have; an order needs a hundred.
pub(crate) const LARGEST: usize = 16 * 1024;
/// How long a client may take to send them.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a body may be read as.
pub(crate) trait Fields: DeserializeOwned {
    /// Its fields, in words for a client that has sent others.
    const FIELDS: &'static str;
}

/// The body of a request, read within bounds of size and time.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: Fields> FromRequest<S> for JsonBody<T> {
    type Rejection = Fault;

    async fn from_request(mut request: Request, state: &S) -> Result<JsonBody<T>, Fault> {
        if !is_json(request.headers()) {
            return Err(Fault::new(Kind::InvalidArgument, "UNSUPPORTED_MEDIA_TYPE")
                .status(415)
                .message("the body must be application/json"));
        }
        DefaultBodyLimit::max(LARGEST).apply(&mut request);
        let bytes = timeout(PATIENCE, Bytes::from_request(request, state)).await;
        let bytes = bytes.map_err(|_| too_slow())?.map_err(unreadable)?;
        serde_json::from_slice(&bytes).map(JsonBody).map_err(malformed::<T>)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn too_slow() -> Fault {
    Fault::new(Kind::DeadlineExceeded, "REQUEST_TIMEOUT")
        .status(408)
        .message("the body did not come in time")
}

fn unreadable(rejection: BytesRejection) -> Fault {
    match rejection {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
            Fault::new(Kind::InvalidArgument, "BODY_TOO_LARGE")
                .status(413)
                .message(format!("the body must have at most {LARGEST} bytes"))
        }
        // Whoever sent half a body is gone.
        other => invalid("the body cannot be read").caused_by(other),
    }
}

fn malformed<T: Fields>(error: serde_json::Error) -> Fault {
    let fault = if error.is_data() {
        let fields = T::FIELDS;
        invalid(format!("the body must be a JSON object with {fields}, each once"))
    } else {
        invalid("the body is not JSON")
            .expose("line", error.line())
            .expose("column", error.column())
    };
    fault.caused_by(error)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures_util::stream;
    use serde_json::Value;

    use super::*;

    impl Fields for Value {
        const FIELDS: &'static str = "anything";
    }

    async fn read(content_type: Option<&str>, body: Body) -> Result<Value, (u16, String)> {
        let mut request = axum::http::Request::post("/");
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let read = JsonBody::from_request(request.body(body).unwrap(), &()).await;
        read.map(|JsonBody(value)| value).map_err(|fault| (fault.http_status(), fault.to_string()))
    }

    #[tokio::test]
    async fn json_is_json_with_parameters_and_in_capitals() {
        for good in ["application/json", "Application/JSON", "application/json; charset=utf-8"] {
            assert!(read(Some(good), Body::from("{}")).await.is_ok(), "{good}");
        }
        for bad in [
            None,
            Some(""),
            Some("text/plain"),
            Some("application/jsonp"),
            Some("text/plain; application/json"),
        ] {
            let refused = read(bad, Body::from("{}")).await.unwrap_err();
            assert_eq!(refused.0, 415, "{bad:?}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn the_largest_body_is_read_and_one_byte_more_is_not() {
        let largest = format!("\"{}\"", "x".repeat(LARGEST - 2));
        assert!(read(Some("application/json"), Body::from(largest.clone())).await.is_ok());
        let refused = read(Some("application/json"), Body::from(largest + " ")).await.unwrap_err();
        assert_eq!(refused.0, 413, "{refused:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let refused = read(Some("application/json"), never).await.unwrap_err();
        assert_eq!(refused.0, 408, "{refused:?}");
    }
}
