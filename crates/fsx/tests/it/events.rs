//! What is logged.

use std::{
    fmt::{self, Write as _},
    fs,
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use underpin_fsx::blocking::read_json_or;

use crate::temp_dir;

#[test]
fn default_in_place_of_bad_json_is_logged_and_of_a_missing_file_is_not() {
    let dir = temp_dir();
    let path = dir.path().join("a.json");
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        assert_eq!(read_json_or(&path, 100, || 7).expect("missing"), 7);
        fs::write(&path, "{").expect("it is written");
        assert_eq!(read_json_or(&path, 100, || 8).expect("bad"), 8);
    });
    let expected = format!(
        "WARN fsx: message=default in place of bad JSON path={} error=invalid type: map, expected i32 at line 1 column 0",
        path.display()
    );
    assert_eq!(*lines.0.lock().expect("no panic"), [expected]);
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
