//! What is logged.

use std::{cell::RefCell, fmt::Write as _, sync::Once, time::Duration};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use underpin_procx::{Containment, cmd, containment};

use crate::script;

thread_local! {
    /// What is logged on this thread. A test and its runtime are on one thread.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// The subscriber of the whole process: one of a single thread may be missed by what another thread has logged first.
struct Log;

/// Runs it, and gives what was logged meanwhile.
async fn logged(work: impl Future<Output = ()>) -> Vec<String> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        tracing::subscriber::set_global_default(Log).expect("it is the only one");
    });
    work.await;
    LINES.take()
}

fn note(metadata: &Metadata<'_>, record: impl FnOnce(&mut Line)) {
    if metadata.target() == "procx" {
        let mut line = Line(format!("{} {}", metadata.level(), metadata.name()));
        record(&mut line);
        LINES.with_borrow_mut(|lines| lines.push(line.0));
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        note(attributes.metadata(), |line| attributes.record(line));
        Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        note(event.metadata(), |line| event.record(line));
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_child_has_a_span_and_its_end_an_event() {
    let lines = logged(async {
        cmd("echo").secret("hunter2").run().await.expect("it runs");
    });
    let lines = lines.await;
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("INFO procx.run program=echo pid="), "{lines:?}");
    assert!(lines[0].contains(" containment="), "{lines:?}");
    assert!(lines[1].starts_with("TRACE ") && lines[1].ends_with("command=echo ***"), "{lines:?}");
    assert!(lines[2].starts_with("DEBUG ") && lines[2].contains("exit=\"exit 0\""), "{lines:?}");
    assert!(!lines.concat().contains("hunter2"));
}

#[tokio::test]
async fn a_secret_in_the_name_of_the_program_is_masked() {
    let lines = logged(async {
        cmd("/bin/echo").redact("/bin/echo").run().await.expect("it runs");
    });
    let lines = lines.await;
    assert!(lines[0].starts_with("INFO procx.run program=*** pid="), "{lines:?}");
}

#[tokio::test]
async fn one_that_had_to_be_ended_is_a_warning() {
    let lines = logged(async {
        let slow = cmd("sleep").arg("3600").timeout(Duration::from_millis(50));
        slow.run().await.expect_err("it is slow");
        script("sleep 3600 > /dev/null 2>&1 &").run().await.expect("it ends well");
    });
    let lines = lines.await;
    let warnings: Vec<&String> = lines.iter().filter(|line| line.starts_with("WARN")).collect();
    assert!(warnings[0].contains("timed_out=true"), "{lines:?}");
    if containment() > Containment::Group {
        assert!(warnings[1].contains("leftovers=1"), "{lines:?}");
    }
}
