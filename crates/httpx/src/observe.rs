//! Spans and events, where the feature is on, and nothing where it is not. Nothing is formatted unless somebody listens.

#[cfg(feature = "tracing")]
pub(crate) use with::{Span, paused, timeout};
#[cfg(not(feature = "tracing"))]
pub(crate) use without::{Span, paused, timeout};

#[cfg(feature = "tracing")]
mod with {
    use std::{future::Future, time::Duration};

    use reqwest::{Request, Url, Version};
    use tracing::{Instrument as _, field::Empty, info_span};
    use underpin_retry::{Retry, Why};

    use crate::{disposition::Disposition, error::Kind, redact::Redacted, response::Response};

    /// A span that is named as a parent. Wrapping the futures of a request in it instead would move them around, and they are large.
    #[derive(Debug)]
    pub(crate) struct Span(tracing::Span);

    impl Span {
        pub(crate) fn operation(tag: &'static str) -> Span {
            Span(info_span!(target: "httpx", "httpx", otel.kind = "internal", tag))
        }

        /// One attempt of an operation, with the attributes that OpenTelemetry has for a client.
        pub(crate) fn attempt(&self, request: &Request, number: u32) -> Span {
            let (method, url) = (request.method(), request.url());
            Span(info_span!(
                target: "httpx",
                parent: &self.0,
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
            ))
        }

        /// For what is below.
        pub(crate) fn around<F: Future>(
            &self,
            sending: F,
        ) -> impl Future<Output = F::Output> + use<F> {
            sending.instrument(self.0.clone())
        }

        pub(crate) fn answered(&self, response: &Response) {
            let status = response.status();
            self.0.record("http.response.status_code", status.as_u16());
            if status.as_u16() >= 400 {
                self.0.record("error.type", status.as_str());
            }
            let version = match response.version() {
                Version::HTTP_10 => "1.0",
                Version::HTTP_2 => "2",
                _ => "1.1",
            };
            self.0.record("network.protocol.version", version);
        }

        pub(crate) fn failed(&self, kind: Kind) {
            self.0.record("error.type", name_of(kind));
        }

        pub(crate) fn retry(
            &self,
            request: &Request,
            attempt: u32,
            retry: &Retry,
            delay: Duration,
            disposition: Disposition,
        ) {
            tracing::warn!(
                target: "httpx",
                parent: &self.0,
                url = %Redacted(request.url()),
                attempt,
                max_retries = retry.delays(0).size_hint().0,
                delay_ms = millis(delay),
                %disposition,
                "HTTP retry"
            );
        }

        pub(crate) fn hedge(&self, request: &Request, after: Duration) {
            let (url, after_ms) = (Redacted(request.url()), millis(after));
            tracing::debug!(target: "httpx", parent: &self.0, %url, after_ms, "HTTP hedge");
        }

        pub(crate) fn gave_up(&self, request: &Request, attempts: u32, why: Why) {
            let url = Redacted(request.url());
            tracing::warn!(target: "httpx", parent: &self.0, %url, attempts, %why, "HTTP gave up");
        }
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
            Kind::Limited => "limited",
        }
    }

    pub(crate) fn timeout(url: &Url, time: Duration) {
        tracing::warn!(target: "httpx", url = %Redacted(url), timeout_ms = millis(time), "HTTP timeout");
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

    use reqwest::{Request, Url};
    use underpin_retry::{Retry, Why};

    use crate::{disposition::Disposition, error::Kind, response::Response};

    #[derive(Debug)]
    pub(crate) struct Span;

    #[expect(clippy::unused_self, reason = "as with the feature")]
    impl Span {
        pub(crate) fn operation(_tag: &'static str) -> Span {
            Span
        }

        pub(crate) fn attempt(&self, _: &Request, _number: u32) -> Span {
            Span
        }

        pub(crate) fn around<F: Future>(&self, sending: F) -> F {
            sending
        }

        pub(crate) fn answered(&self, _: &Response) {}

        pub(crate) fn failed(&self, _: Kind) {}

        pub(crate) fn retry(&self, _: &Request, _: u32, _: &Retry, _: Duration, _: Disposition) {}

        pub(crate) fn hedge(&self, _: &Request, _after: Duration) {}

        pub(crate) fn gave_up(&self, _: &Request, _attempts: u32, _: Why) {}
    }

    pub(crate) fn timeout(_: &Url, _time: Duration) {}

    pub(crate) fn paused(_: &Url, _time: Duration) {}
}
