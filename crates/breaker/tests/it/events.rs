//! What is logged.

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
use underpin_breaker::Breaker;

use crate::{Bench, secs};

#[test]
fn each_change_is_logged_and_opening_is_a_warning() {
    let lines = logged(|| {
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
    assert_eq!(lines, expected);
}

thread_local! {
    /// The events of this thread, a line each, while a test listens.
    static LINES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// What `work` logs on this thread. There is one subscriber for all tests: one that comes and goes may never hear of a place in the code that another test came by at
/// that moment.
fn logged(work: impl FnOnce()) -> Vec<String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Lines).expect("the only one"));
    LINES.set(Some(Vec::new()));
    work();
    LINES.take().expect("nobody else takes them")
}

fn keep(line: String) {
    LINES.with_borrow_mut(|lines| lines.get_or_insert_default().push(line));
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

impl Subscriber for Lines {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "breaker" && LINES.with_borrow(Option::is_some)
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
        keep(fields.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
