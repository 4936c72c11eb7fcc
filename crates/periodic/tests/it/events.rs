//! What is logged.

use std::{
    cell::RefCell,
    fmt::{Debug, Write as _},
    time::Duration,
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use underpin_periodic::every;

use crate::{Log, pass};

thread_local! {
    /// The events of this thread, which is all that a test on a current-thread runtime has.
    static NOTED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes each event as `LEVEL message field=value …`.
///
/// It is the global subscriber: with a scoped one, an event that a test on another thread reaches first would be off for all.
struct Notes;

fn noted() -> Vec<String> {
    NOTED.take()
}

impl Subscriber for Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        NOTED.with_borrow_mut(|noted| noted.push(line.0));
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
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[tokio::test(start_paused = true)]
async fn runs_failures_and_skips_are_told_with_the_name_of_the_task() {
    tracing::subscriber::set_global_default(Notes).expect("no other test sets it");
    let log = Log::default();
    let copy = log.clone();
    let watchdog = every(Duration::from_secs(300)).named("watchdog").spawn(move |tick| {
        let minutes = if tick.number == 1 { 6 } else { 1 };
        let run = copy.clone().run(Duration::from_secs(60 * minutes));
        async move {
            run.await;
            assert_ne!(tick.number, 2, "boom");
            if tick.number == 1 { Err("no answer") } else { Ok(()) }
        }
    });

    pass(400_000).await;
    let completed = "INFO periodic task completed task=watchdog duration_ms=60000";
    assert_eq!(noted(), [completed]);

    // The second run begins at 600 s, takes six minutes and fails; the tick at 900 s finds it active.
    pass(570_000).await;
    let skipped = "WARN periodic task skipped: the previous run is still active task=watchdog";
    let failed = "ERROR periodic task failed task=watchdog error=no answer duration_ms=360000";
    assert_eq!(noted(), [skipped, failed]);

    pass(300_000).await;
    let panicked = "ERROR periodic task failed task=watchdog error=panicked: ";
    let told = noted();
    assert!(
        matches!(&told[..], [one] if one.starts_with(panicked) && one.contains("boom")),
        "{told:?}"
    );

    pass(300_000).await;
    assert_eq!(noted(), [completed]);
    drop(watchdog);
}
