//! What the log is told.

use std::{
    cell::RefCell,
    fmt::{Debug, Write as _},
    future::pending,
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use underpin_health::{Health, Verdict};

use crate::help::{paused, until};

thread_local! {
    /// The events of this thread, which is all that a test on a current-thread runtime has.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps each event as one line.
///
/// It is the global subscriber: with a scoped one, an event that another test's thread reaches first would be off for all.
struct Lines;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "underpin_health"
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LINES.with_borrow_mut(|lines| lines.push(line.0));
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn a_probe_that_turns_is_logged_once() {
    tracing::subscriber::set_global_default(Lines).expect("no other test sets it");
    paused(async {
        let health = Health::new();
        let switch = health.switch("database");
        switch.up();
        health.run(pending());
        until(&health, |seen| seen.readiness == Verdict::Up).await;
        LINES.take();
        switch.down("refused");
        switch.down("refused again");
        switch.up();
    });
    assert_eq!(
        LINES.take(),
        [
            "WARN message=a probe turned probe=Readiness status=\"unavailable\"",
            "INFO message=a probe turned probe=Readiness status=\"ready\"",
        ]
    );
}
