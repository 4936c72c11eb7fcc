//! What is logged.

use std::{
    fmt::{self, Write as _},
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use underpin_breaker::Breaker;

use crate::{Bench, secs};

#[test]
fn each_change_is_logged_and_opening_is_a_warning() {
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let mut bench = Bench::new(Breaker::builder("payments").successes(1).build());
        bench.open();
        bench.pass(secs(30));
        bench.succeed();
    });
    let expected = [
        "WARN breaker: message=breaker transition name=payments from=closed to=open generation=1 failures=5",
        "INFO breaker: message=breaker transition name=payments from=open to=half-open generation=2 failures=0",
        "INFO breaker: message=breaker transition name=payments from=half-open to=closed generation=3 failures=0",
    ];
    assert_eq!(*lines.0.lock().expect("no panic"), expected);
}

/// Events, a line each.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Fields(String);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {field}={value}");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let (level, target) = (event.metadata().level(), event.metadata().target());
        let mut fields = Fields(format!("{level} {target}:"));
        event.record(&mut fields);
        self.0.lock().expect("no panic").push(fields.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
