//! What is logged and traced.

use std::{
    fmt::{self, Write as _},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use underpin_httpx::Retry;

use crate::{
    builder, client, millis,
    server::{Server, Step, answer, status},
};

/// Spans and events of the client, a line each; what is recorded later is a line of its own.
#[derive(Clone, Default)]
struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    spans: Arc<AtomicU64>,
}

struct Fields(String);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {field}={value}");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Lines {
    fn add(&self, begin: String, record: impl FnOnce(&mut Fields)) {
        let mut fields = Fields(begin);
        record(&mut fields);
        self.lines.lock().expect("no panic").push(fields.0);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().expect("no panic"))
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "httpx"
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let id = self.spans.fetch_add(1, Ordering::Relaxed) + 1;
        self.add(format!("span {id} {}:", span.metadata().name()), |fields| span.record(fields));
        span::Id::from_u64(id)
    }

    fn record(&self, span: &span::Id, values: &span::Record<'_>) {
        self.add(format!("span {}:", span.into_u64()), |fields| values.record(fields));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        self.add(format!("{}:", event.metadata().level()), |fields| event.record(fields));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn a_retry_is_logged_with_url_attempt_maximum_and_delay() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let server = Server::script(vec![status(500)]).await;
    let http = builder(&server).retry(Retry::fixed(millis(7))).build().expect("a client");
    http.get("a?key=secret").tag("users").send().await.expect("a response");
    let (url, port) = (server.url(), server.address.port());
    let common = format!(
        "otel.name=GET otel.kind=client http.request.method=GET server.address=127.0.0.1 server.port={port} url.full={url}a"
    );
    let expected = [
        "span 1 httpx: otel.kind=internal tag=users".to_owned(),
        format!("span 2 http: {common}"),
        "span 2: http.response.status_code=500".to_owned(),
        "span 2: error.type=500".to_owned(),
        "span 2: network.protocol.version=1.1".to_owned(),
        format!(
            "WARN: message=HTTP retry url={url}a attempt=1 max_retries=3 delay_ms=7 disposition=unknown"
        ),
        format!("span 3 http: {common} http.request.resend_count=1"),
        "span 3: http.response.status_code=200".to_owned(),
        "span 3: network.protocol.version=1.1".to_owned(),
    ];
    assert_eq!(lines.take(), expected);
}

#[tokio::test]
async fn a_timeout_is_logged_with_url_and_time() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let server = Server::new(|_| vec![Step::Hang]).await;
    let http = builder(&server)
        .attempt_timeout(millis(30))
        .retry(Retry::fixed(millis(1)).retries(1))
        .build()
        .expect("a client");
    http.get("a?key=secret").send().await.expect_err("it hangs");
    let lines = lines.take();
    let timeout = format!("WARN: message=HTTP timeout url={}a timeout_ms=30", server.url());
    assert_eq!(lines.iter().filter(|line| **line == timeout).count(), 2, "{lines:#?}");
    let gave_up = format!(
        "WARN: message=HTTP gave up url={}a attempts=2 why=no attempts are left",
        server.url()
    );
    assert!(lines.contains(&gave_up), "{lines:#?}");
    assert!(lines.contains(&"span 2: error.type=timeout".to_owned()), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("secret")), "{lines:#?}");
}

#[tokio::test]
async fn a_pause_is_logged() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let server = Server::new(|_| answer(429, "retry-after: 60\r\n", "")).await;
    client(&server).get("a").send().await.expect("a response");
    let paused = "INFO: message=HTTP host paused host=127.0.0.1 pause_ms=60000".to_owned();
    assert!(lines.take().contains(&paused));
}
