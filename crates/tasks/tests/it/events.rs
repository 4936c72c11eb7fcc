//! What is logged.

use std::{
    convert::Infallible,
    fmt::{self, Write as _},
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
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

/// The events of `work`, a line each.
fn logged(work: impl Future<Output = ()>) -> Vec<String> {
    let lines = Lines::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    tracing::subscriber::with_default(lines.clone(), || runtime.block_on(work));
    let lines = lines.0.lock().expect("no test panics with it");
    lines.clone()
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("underpin_tasks")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} {}:", event.metadata().level(), "underpin_tasks"));
        event.record(&mut line);
        self.0.lock().expect("no test panics with it").push(line.0);
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
