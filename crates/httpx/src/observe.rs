//! Spans and events, where the feature is on, and nothing where it is not. Nothing is formatted unless somebody listens.

#[cfg(feature = "tracing")]
pub(crate) use with::{attempt, gave_up, operation, paused, retry, timeout};
#[cfg(not(feature = "tracing"))]
pub(crate) use without::{attempt, gave_up, operation, paused, retry, timeout};

#[cfg(feature = "tracing")]
mod with {
    use std::{future::Future, time::Duration};

    use reqwest::{Url, Version};
    use tracing::{Instrument as _, Span, field::Empty, info_span};
    use underpin_retry::Why;

    use crate::{
        disposition::Disposition,
        error::{Kind, Result},
        operation::{Failure, Operation},
        redact::Redacted,
        response::Response,
    };

    pub(crate) fn operation<F: Future>(
        tag: &'static str,
        run: F,
    ) -> impl Future<Output = F::Output> {
        let span = info_span!(target: "httpx", "httpx", otel.kind = "internal", tag);
        run.instrument(span)
    }

    /// One attempt, with the attributes that OpenTelemetry has for a client.
    pub(crate) async fn attempt(
        operation: &Operation,
        number: u32,
        sent: impl Future<Output = Result<Response, Failure>>,
    ) -> Result<Response, Failure> {
        let (method, url) = (operation.request().method(), operation.request().url());
        let span = info_span!(
            target: "httpx",
            "http",
            otel.name = method.as_str(),
            otel.kind = "client",
            http.request.method = method.as_str(),
            server.address = url.host_str().unwrap_or_default(),
            server.port = url.port_or_known_default(),
            url.full = %Redacted(url),
            http.request.resend_count = (number > 1).then(|| number - 1),
            http.response.status_code = Empty,
            network.protocol.version = Empty,
            error.type = Empty,
        );
        let sent = sent.instrument(span.clone()).await;
        match &sent {
            Ok(response) => record_response(&span, response),
            Err(Failure::Answered(response)) => record_response(&span, response),
            Err(Failure::Error(error)) => {
                span.record("error.type", name_of(error.kind()));
            }
        }
        sent
    }

    fn record_response(span: &Span, response: &Response) {
        span.record("http.response.status_code", response.status().as_u16());
        if response.status().as_u16() >= 400 {
            span.record("error.type", response.status().as_str());
        }
        let version = match response.version() {
            Version::HTTP_10 => "1.0",
            Version::HTTP_2 => "2",
            _ => "1.1",
        };
        span.record("network.protocol.version", version);
    }

    /// For few different values, as metrics want them.
    fn name_of(kind: Kind) -> &'static str {
        match kind {
            Kind::Request => "request",
            Kind::Connect => "connect",
            Kind::Transport => "transport",
            Kind::Redirect => "redirect",
            Kind::Timeout => "timeout",
            Kind::Status => "status",
            Kind::Body => "body",
            Kind::TooLarge => "too_large",
            Kind::Decode => "decode",
            Kind::Write => "write",
            Kind::Paused => "paused",
            Kind::Rejected => "rejected",
        }
    }

    pub(crate) fn retry(
        operation: &Operation,
        attempt: u32,
        delay: Duration,
        disposition: Disposition,
    ) {
        tracing::warn!(
            target: "httpx",
            url = %Redacted(operation.request().url()),
            attempt,
            max_retries = operation.max_retries(),
            delay_ms = millis(delay),
            %disposition,
            "HTTP retry"
        );
    }

    pub(crate) fn timeout(url: &Url, time: Duration) {
        tracing::warn!(target: "httpx", url = %Redacted(url), timeout_ms = millis(time), "HTTP timeout");
    }

    pub(crate) fn gave_up(operation: &Operation, attempts: u32, why: Why) {
        let url = operation.request().url();
        tracing::warn!(target: "httpx", url = %Redacted(url), attempts, %why, "HTTP gave up");
    }

    pub(crate) fn paused(url: &Url, time: Duration) {
        let host = url.host_str().unwrap_or_default();
        tracing::info!(target: "httpx", host, pause_ms = millis(time), "HTTP host paused");
    }

    fn millis(time: Duration) -> u64 {
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(not(feature = "tracing"))]
mod without {
    use std::{future::Future, time::Duration};

    use reqwest::Url;
    use underpin_retry::Why;

    use crate::{disposition::Disposition, operation::Operation};

    pub(crate) fn operation<F: Future>(_tag: &'static str, run: F) -> F {
        run
    }

    pub(crate) fn attempt<F: Future>(_: &Operation, _number: u32, sent: F) -> F {
        sent
    }

    pub(crate) fn retry(_: &Operation, _attempt: u32, _delay: Duration, _: Disposition) {}

    pub(crate) fn timeout(_: &Url, _time: Duration) {}

    pub(crate) fn gave_up(_: &Operation, _attempts: u32, _why: Why) {}

    pub(crate) fn paused(_: &Url, _time: Duration) {}
}
