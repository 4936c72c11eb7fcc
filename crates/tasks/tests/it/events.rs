//! What is logged.

use std::{
    cell::RefCell,
    convert::Infallible,
    fmt::{self, Write as _},
    sync::Once,
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::Interest,
};
use underpin_tasks::{Nursery, each};

#[test]
fn the_number_of_failed_ones_is_logged() {
    let lines = logged(async {
        let settled = each(0..5)
            .settle(async |item| {
                assert!(item != 1, "bad");
                if item == 2 { Err("two") } else { Ok(item) }
            })
            .await;
        assert_eq!(settled.len(), 5);
    });
    assert_eq!(
        lines,
        ["WARN underpin_tasks: message=batch settled with failures failed=2 total=5"]
    );
}

#[test]
fn a_healthy_batch_logs_nothing() {
    let lines = logged(async {
        each(0..5).settle(async |item| Ok::<_, String>(item)).await;
    });
    assert_eq!(lines, [""; 0]);
}

#[test]
fn task_error_logged() {
    let lines = logged(async {
        let nursery = Nursery::new();
        nursery.spawn("import", async { Err("no such file") });
        nursery.spawn("index", async { panic!("oh") as Result<(), Infallible> });
        nursery.close().await;
    });
    let expected = [
        "ERROR underpin_tasks: message=task failed task=\"import\" failure=no such file",
        "ERROR underpin_tasks: message=task failed task=\"index\" failure=panicked: oh",
    ];
    assert_eq!(lines, expected);
}

thread_local! {
    /// The events of this thread, a line each, while a test listens.
    static LINES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// What `work` logs on this thread. There is one subscriber for all tests: one that comes and goes may never hear of a place in the code that another test came by at
/// that moment.
fn logged(work: impl Future<Output = ()>) -> Vec<String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Lines).expect("the only one"));
    LINES.set(Some(Vec::new()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(work);
    LINES.take().expect("nobody else takes them")
}

fn keep(line: String) {
    LINES.with_borrow_mut(|lines| lines.get_or_insert_default().push(line));
}

struct Lines;

impl Subscriber for Lines {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("underpin_tasks") && LINES.with_borrow(Option::is_some)
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} {}:", event.metadata().level(), "underpin_tasks"));
        event.record(&mut line);
        keep(line.0);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}
