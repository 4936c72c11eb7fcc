//! What is logged and traced.

use std::{
    cell::RefCell,
    fmt::{self, Write as _},
    sync::Once,
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::Interest,
};
use underpin_httpx::{Hedge, Retry};

use crate::{
    builder, client, millis,
    server::{Server, Step, answer, ok, status},
};

thread_local! {
    /// Spans and events of this test, a line each; what is recorded later is a line of its own.
    static LINES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Listens from now on to this thread, on which all of a test runs.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Lines).expect("the only one"));
    LINES.set(Some(Vec::new()));
}

fn heard() -> Vec<String> {
    LINES.take().expect("somebody listens")
}

struct Lines;

struct Fields(String);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {field}={value}");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

fn add(begin: String, record: impl FnOnce(&mut Fields)) {
    let mut fields = Fields(begin);
    record(&mut fields);
    LINES.with_borrow_mut(|lines| lines.as_mut().expect("somebody listens").push(fields.0));
}

impl Subscriber for Lines {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "httpx" && LINES.with_borrow(Option::is_some)
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let begun = |line: &&String| line.starts_with("span ") && !line.starts_with("span of ");
        let id = LINES.with_borrow(|lines| lines.iter().flatten().filter(begun).count()) + 1;
        add(format!("span {id} {}:", span.metadata().name()), |fields| span.record(fields));
        span::Id::from_u64(id as u64)
    }

    fn record(&self, span: &span::Id, values: &span::Record<'_>) {
        add(format!("span of {}:", span.into_u64()), |fields| values.record(fields));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        add(format!("{}:", event.metadata().level()), |fields| event.record(fields));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn a_retry_is_logged_with_url_attempt_maximum_and_delay() {
    listen();
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
        "span of 2: http.response.status_code=500".to_owned(),
        "span of 2: error.type=500".to_owned(),
        "span of 2: network.protocol.version=1.1".to_owned(),
        format!(
            "WARN: message=HTTP retry url={url}a attempt=1 max_retries=3 delay_ms=7 disposition=unknown"
        ),
        format!("span 3 http: {common} http.request.resend_count=1"),
        "span of 3: http.response.status_code=200".to_owned(),
        "span of 3: network.protocol.version=1.1".to_owned(),
    ];
    assert_eq!(heard(), expected);
}

#[tokio::test]
async fn a_timeout_is_logged_with_url_and_time() {
    listen();
    let server = Server::new(|_| vec![Step::Hang]).await;
    let http = builder(&server)
        .attempt_timeout(millis(30))
        .retry(Retry::fixed(millis(1)).retries(1))
        .build()
        .expect("a client");
    http.get("a?key=secret").send().await.expect_err("it hangs");
    let lines = heard();
    let timeout = format!("WARN: message=HTTP timeout url={}a timeout_ms=30", server.url());
    assert_eq!(lines.iter().filter(|line| **line == timeout).count(), 2, "{lines:#?}");
    let gave_up = format!(
        "WARN: message=HTTP gave up url={}a attempts=2 why=no attempts are left",
        server.url()
    );
    assert!(lines.contains(&gave_up), "{lines:#?}");
    assert!(lines.contains(&"span of 2: error.type=timeout".to_owned()), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("secret")), "{lines:#?}");
}

#[tokio::test]
async fn a_pause_is_logged() {
    listen();
    let server = Server::new(|_| answer(429, "retry-after: 60\r\n", "")).await;
    client(&server).get("a").send().await.expect("a response");
    let paused = "INFO: message=HTTP host paused host=127.0.0.1 pause_ms=60000".to_owned();
    assert!(heard().contains(&paused));
}

#[tokio::test]
async fn a_hedge_is_logged_and_is_an_attempt_of_its_own() {
    listen();
    let server = Server::script(vec![vec![Step::Hang], ok("fine")]).await;
    let http = builder(&server).hedge(Hedge::after(millis(60))).build().expect("a client");
    http.get("a?key=secret").send().await.expect("a response");
    let mut lines = heard();
    let hedge = lines.remove(2);
    let event = format!("DEBUG: message=HTTP hedge url={}a after_ms=", server.url());
    let after = hedge.strip_prefix(&event).and_then(|after| after.parse::<u64>().ok());
    assert!(after.is_some_and(|after| after >= 60), "{hedge}");
    let starts = [
        "span 1 httpx: otel.kind=internal",
        "span 2 http: otel.name=GET",
        "span 3 http: otel.name=GET",
        "span of 3: http.response.status_code=200",
        "span of 3: network.protocol.version=1.1",
    ];
    assert!(lines.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{lines:#?}");
    assert!(lines.len() == 5 && lines[2].ends_with("resend_count=1"), "{lines:#?}");
}
