//! What is logged.

use std::{
    cell::RefCell,
    fmt::{self, Write as _},
    sync::Once,
    time::Instant,
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::Interest,
};
use underpin_ratelimit::{Limit, Limiter, check_all_at};

use crate::{millis, secs};

#[test]
fn denials_are_logged_once_a_second_and_without_their_keys() {
    let lines = logged(|| {
        let limiter = Limiter::builder(Limit::window(1, secs(10))).name("per-user").build();
        let now = Instant::now();
        let ask = |n, passed| limiter.check_at("secret", n, now + millis(passed)).is_ok();
        assert!(ask(1, 0));
        for passed in [500, 600, 700, 1499, 1500] {
            assert!(!ask(1, passed));
        }
        assert!(!ask(2, 5000));
        let _ = check_all_at([limiter.of("secret"), limiter.of("secret")], now + millis(6000));
    });
    let expected = [
        "DEBUG ratelimit: message=rate limit denied name=per-user why=limit retry_after_ms=9500 left_out=0",
        "DEBUG ratelimit: message=rate limit denied name=per-user why=limit retry_after_ms=8500 left_out=3",
        "DEBUG ratelimit: message=rate limit denied name=per-user why=too many left_out=0",
        "DEBUG ratelimit: message=rate limit denied name=per-user why=limit retry_after_ms=4000 left_out=0",
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
        metadata.target() == "ratelimit" && LINES.with_borrow(Option::is_some)
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
