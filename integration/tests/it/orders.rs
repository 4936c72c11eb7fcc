//! The reference service as its operator and its clients see it: the real program, in a process of its own.

mod activity;
mod demo;
#[cfg(target_os = "linux")]
mod descriptors;
mod events;
mod http;
mod limits;
mod live;
mod payment;
mod placing;
mod processes;
mod reading;
mod stub;
mod version;

use std::{
    fs,
    net::TcpListener,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use testkit::{Child, Tool, run};

use self::http::{Answer, get, request};

const PATIENCE: Duration = Duration::from_secs(20);

/// The service with nothing in its environment, in an empty folder.
fn orders(dir: &tempfile::TempDir) -> Command {
    let mut command = Command::new(testkit::orders());
    command.env_clear().current_dir(dir.path());
    command
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temp folder")
}

/// A port that was free a moment ago. Ephemeral ports are above the 1024 that `PORT` begins at.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Starts the service and waits until it listens.
fn serve(mut command: Command) -> (Child, u16) {
    let port = free_port();
    command.env("PORT", port.to_string());
    let child = Child::spawn(command, PATIENCE);
    child.wait_for_line("orders listens on");
    (child, port)
}

/// Lets Python's own SQLite change the database of a service that runs.
fn change(python: &Tool, dir: &tempfile::TempDir, statements: &str) {
    const CHANGE: &str = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=10)
db.executescript(sys.argv[2])
db.commit()
";
    let mut command = python.command();
    command.args(["-c", CHANGE]).arg(dir.path().join("data/orders.db")).arg(statements);
    let output = run(command, PATIENCE);
    assert!(output.status.success(), "{}", output.stderr);
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

/// Nothing is ready before the first turn of the checks.
fn wait_until_ready(port: u16) {
    let deadline = Instant::now() + PATIENCE;
    while get(port, "/health/ready").status != 200 {
        assert!(Instant::now() < deadline, "it is never ready");
    }
}

#[test]
fn six_mistakes_are_all_printed_and_the_exit_code_is_78() {
    let mistakes = [
        ("APP_ENV", "prod"),
        ("PORT", "80"),
        ("DATABASE_URL", "postgres://orders:hunter2@"),
        ("OTEL_SERVICE_NAME", ""),
        ("LOG_LEVEL", "verbose"),
        ("BREAKER_OPEN", "60"),
    ];
    let dir = folder();
    let mut command = orders(&dir);
    command.envs(mistakes);
    let output = run(command, PATIENCE);
    assert_eq!(output.status.code(), Some(78));
    assert_eq!(output.stdout.lines().count(), 1, "{}", output.stdout);
    let line = json(&output.stdout);
    let variables: Vec<&str> = line["problems"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|problem| problem["variable"].as_str())
        .collect();
    assert_eq!(variables, mistakes.map(|(name, _)| name));
    for (name, _) in mistakes {
        assert!(output.stderr.contains(name), "{name} in {}", output.stderr);
    }
    assert!(!output.stdout.contains("hunter2") && !output.stderr.contains("hunter2"));
}

#[test]
fn errors_are_problem_documents_that_tell_nothing_of_the_inside() {
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    let answer = get(port, "/secret-path?secret=1");
    assert_eq!((answer.status, answer.code()), (404, "NOT_FOUND".to_owned()));
    assert!(!answer.body.contains("secret"), "{}", answer.body);

    let answer = request(port, "DELETE", "/version", &[], "");
    assert_eq!((answer.status, answer.code()), (405, "METHOD_NOT_ALLOWED".to_owned()));
    assert_eq!(answer.header("allow"), Some("GET,HEAD"));
}

#[test]
fn dotenv_counts_in_development_and_nowhere_else() {
    let dir = folder();
    fs::write(dir.path().join(".env"), "OTEL_SERVICE_NAME=from-dotenv\n")
        .expect("it can be written");
    for (profile, name) in [("development", "from-dotenv"), ("production", "orders")] {
        let mut command = orders(&dir);
        command.env("APP_ENV", profile);
        let (_child, port) = serve(command);
        let version = get(port, "/version").json();
        assert_eq!(
            (version["service"].as_str(), version["environment"].as_str()),
            (Some(name), Some(profile))
        );
    }
}

#[test]
fn probes_answer_and_sigterm_ends_it_cleanly() {
    let dir = folder();
    let (child, port) = serve(orders(&dir));
    wait_until_ready(port);
    assert_eq!(get(port, "/health/ready").json()["status"], "ready");
    let Answer { status, body, .. } = get(port, "/health/live");
    assert_eq!((status, json(&body)["status"].as_str()), (200, Some("alive")));

    child.terminate();
    let output = child.finish();
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("orders shutdown: SIGTERM"), "{}", output.stderr);
    assert!(output.stderr.contains("exit code 0"), "{}", output.stderr);
    // What was started last has ended before what it works with was closed.
    let ended = |what: &str| {
        output.stderr.find(what).unwrap_or_else(|| panic!("no {what}: {}", output.stderr))
    };
    assert!(
        ended("http  ") < ended("periodic tasks")
            && ended("periodic tasks") < ended("activity log")
            && ended("activity log") < ended("database")
    );
    assert!(
        output.stderr.lines().filter(|line| line.ends_with(", ok")).count() == 3,
        "{}",
        output.stderr
    );
}

#[test]
fn a_port_in_use_is_said_with_the_fix() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let dir = folder();
    let mut command = orders(&dir);
    command.env("PORT", taken.local_addr().expect("it is bound").port().to_string());
    let output = run(command, PATIENCE);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.contains("set PORT to another port"), "{}", output.stderr);
}

#[test]
fn an_unknown_argument_is_refused_with_the_usage() {
    let dir = folder();
    let mut command = orders(&dir);
    command.arg("serve");
    let output = run(command, PATIENCE);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        output.stderr.contains("orders does not know what \"serve\" means"),
        "{}",
        output.stderr
    );
}
