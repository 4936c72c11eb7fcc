//! What is logged.

use std::{
    cell::RefCell,
    fmt::{Debug, Write as _},
    sync::Once,
    task::Poll,
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use underpin_shutdown::{Plan, Reason, Shutdown};

use crate::virtual_time::{pass, run, secs};

thread_local! {
    /// The events of this thread, a line each, while a test listens.
    static LINES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// What `test` logs on this thread. There is one subscriber for all tests: one that comes and goes may never hear of a place in the code that another test came by at
/// that moment.
fn log(test: impl Future<Output = ()>) -> Vec<String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Lines).expect("the only one"));
    LINES.set(Some(Vec::new()));
    run(test);
    LINES.take().expect("nobody else takes them")
}

fn keep(line: String) {
    LINES.with_borrow_mut(|lines| lines.get_or_insert_default().push(line));
}

struct Lines;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

impl Subscriber for Lines {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "shutdown" && LINES.with_borrow(Option::is_some)
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        keep(line.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn begin_phases_cleanups_and_end_are_logged() {
    let lines = log(async {
        let shutdown = Shutdown::new(Plan::new());
        shutdown.defer("telemetry", |_| pass(secs(1)));
        shutdown.defer("postgres", |_| async { Err::<(), _>("broken pipe") });
        shutdown.trigger(Reason::Signal(15));
        shutdown.complete().await;
    });
    assert_eq!(
        lines,
        [
            "INFO shutdown began reason=SIGTERM",
            "INFO shutdown phase phase=draining",
            "INFO shutdown phase phase=cancelling",
            "INFO shutdown phase phase=cleanup",
            "INFO cleanup started cleanup=\"postgres\"",
            "ERROR cleanup ended cleanup=\"postgres\" outcome=failed: broken pipe used=0.0",
            "INFO cleanup started cleanup=\"telemetry\"",
            "INFO cleanup ended cleanup=\"telemetry\" outcome=ok used=1.0",
            "INFO shutdown phase phase=done",
            "ERROR shutdown done used=1.0 exit_code=1",
        ]
    );
}

#[test]
fn panic_of_a_task_is_logged_with_its_name() {
    let lines = log(async {
        let jobs = Shutdown::new(Plan::new()).tracker("jobs");
        let work = std::future::poll_fn(|_| -> Poll<()> { panic!("boom") });
        assert!(jobs.spawn("importer", work).await.is_err());
    });
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.starts_with("ERROR task panicked task=\"importer\" started_at="), "{line}");
    assert!(line.contains(file!()), "{line}");
}

#[test]
fn drop_without_completing_is_logged() {
    let lines = log(async {
        let shutdown = Shutdown::new(Plan::new());
        shutdown.defer("postgres", |_| async {});
    });
    assert_eq!(lines, ["WARN dropped without `complete`: cleanups were not run cleanups=1"]);
}
