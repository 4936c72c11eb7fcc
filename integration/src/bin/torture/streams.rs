//! Streams that nobody reads, and telemetry behind one.

use std::{io, os::fd::OwnedFd, sync::OnceLock};

use rustix::{
    fs::{OFlags, fcntl_setfl},
    pipe::pipe,
    stdio::{dup2_stderr, dup2_stdin},
};
use tracing::{
    Event, Metadata, Subscriber,
    span::{Attributes, Id, Record},
};
use underpin_shutdown::{App, Report};

use crate::{block, run, until_draining};

/// What must stay open for as long as the process runs.
static KEPT: OnceLock<OwnedFd> = OnceLock::new();

/// Nobody writes to it, and nobody closes it.
pub(crate) fn stdin_without_writer() {
    let (reader, writer) = pipe().expect("a pipe");
    dup2_stdin(reader).expect("a stdin");
    KEPT.set(writer).expect("nothing else is kept");
}

/// A pipe that takes no more byte, and blocks.
pub(crate) fn full_stderr(app: App) -> Report {
    run(app, |shutdown| async move {
        let (reader, writer) = pipe().expect("a pipe");
        fcntl_setfl(&writer, OFlags::NONBLOCK).expect("flags");
        while rustix::io::write(&writer, &[b'x'; 4096]).is_ok() {}
        while rustix::io::write(&writer, b"x").is_ok() {}
        fcntl_setfl(&writer, OFlags::empty()).expect("flags");
        dup2_stderr(writer).expect("a stderr");
        KEPT.set(reader).expect("nothing else is kept");
        until_draining(shutdown).await;
    })
}

pub(crate) fn stderr_without_reader(app: App) -> Report {
    run(app, |shutdown| async move {
        let (reader, writer) = pipe().expect("a pipe");
        dup2_stderr(writer).expect("a stderr");
        drop(reader);
        until_draining(shutdown).await;
    })
}

pub(crate) fn blocked_telemetry(app: App) -> Report {
    with_telemetry(app, Deadlocked { holds_stderr: false })
}

pub(crate) fn telemetry_holds_stderr(app: App) -> Report {
    with_telemetry(app, Deadlocked { holds_stderr: true })
}

fn with_telemetry(app: App, telemetry: Deadlocked) -> Report {
    tracing::subscriber::set_global_default(telemetry).expect("the first and only subscriber");
    run(app, until_draining)
}

/// Never comes back from its first event.
struct Deadlocked {
    holds_stderr: bool,
}

impl Subscriber for Deadlocked {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "shutdown"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        let _stderr = self.holds_stderr.then(|| io::stderr().lock());
        block();
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
