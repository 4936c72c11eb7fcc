//! A panic does what the service's policy says, and never goes unseen.

use std::time::Duration;

use serde_json::Value as Json;
use testkit::{Child, Output};

use crate::lifecycle::torture::torture;

const PATIENCE: Duration = Duration::from_secs(20);

/// The line about the panic.
fn record(output: &Output) -> Json {
    let line = output.stdout.lines().find(|line| line.starts_with('{')).unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {}", output.stdout))
}

#[test]
fn panic_of_main_is_logged_with_its_backtrace_and_exits_with_1() {
    let mut command = torture("panic-of-main");
    command.env("RUST_BACKTRACE", "1");
    let output = testkit::run(command, PATIENCE);
    assert_eq!(output.status.code(), Some(1), "{}", output.stderr);
    let record = record(&output);
    assert_eq!(
        (record["level"].as_str(), record["message"].as_str()),
        (Some("error"), Some("boom"))
    );
    assert!(
        record["backtrace"].as_str().is_some_and(|trace| trace.contains("torture")),
        "{record}"
    );
    // Not before the cleanups have run.
    assert!(output.stdout.contains("closed telemetry"), "{}", output.stdout);
    assert!(output.stderr.contains("torture shutdown: panic: boom;"), "{}", output.stderr);
}

#[test]
fn panic_of_a_task_is_logged_and_the_service_goes_on() {
    let child = Child::spawn(torture("panic-of-task"), PATIENCE);
    child.wait_for_line("the importer panicked");
    child.wait_for_line("ready");
    child.terminate();
    let output = child.finish();
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    assert_eq!(record(&output)["message"], "boom");
    assert!(output.stderr.contains("torture shutdown: SIGTERM;"), "{}", output.stderr);
}

#[test]
fn panic_of_a_task_stops_a_service_that_asks_for_it() {
    let output = testkit::run(torture("panic-stops-service"), PATIENCE);
    assert_eq!(output.status.code(), Some(1), "{}", output.stderr);
    assert_eq!(record(&output)["message"], "boom");
    assert!(output.stdout.contains("closed telemetry"), "{}", output.stdout);
    assert!(output.stderr.contains("torture shutdown: panic: boom;"), "{}", output.stderr);
}
