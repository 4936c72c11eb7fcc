//! The reference service as its operator and its clients see it: the real program, in a process of its own.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use testkit::{Child, run};

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

/// The head and the body of the answer to a request, as bytes came.
fn request(port: u16, method: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n")
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers and closes");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.to_ascii_lowercase(), body.to_owned())
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
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
fn nothing_set_serves_the_version() {
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    let (head, body) = request(port, "GET", "/version");
    assert!(
        head.starts_with("http/1.1 200 ok\r\n") && head.contains("content-type: application/json"),
        "{head}"
    );
    let version = json(&body);
    assert_eq!(
        (version["service"].as_str(), version["environment"].as_str()),
        (Some("orders"), Some("development"))
    );
    assert!(version["version"].is_string());
}

#[test]
fn errors_are_problem_documents_that_tell_nothing_of_the_inside() {
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    let (head, body) = request(port, "GET", "/secret-path?secret=1");
    assert!(head.starts_with("http/1.1 404 not found\r\n"), "{head}");
    assert!(head.contains("content-type: application/problem+json"), "{head}");
    let problem = json(&body);
    assert_eq!(
        (problem["status"].as_u64(), problem["code"].as_str()),
        (Some(404), Some("NOT_FOUND"))
    );
    assert!(!body.contains("secret"), "{body}");

    let (head, body) = request(port, "DELETE", "/version");
    assert!(
        head.starts_with("http/1.1 405 method not allowed\r\n") && head.contains("allow: get,head"),
        "{head}"
    );
    assert_eq!(json(&body)["code"], "METHOD_NOT_ALLOWED");
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
        let version = json(&request(port, "GET", "/version").1);
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
    let ready = || request(port, "GET", "/health/ready");
    // Nothing is ready before the first turn of the checks.
    let deadline = Instant::now() + PATIENCE;
    while !ready().0.starts_with("http/1.1 200 ok") {
        assert!(Instant::now() < deadline, "it is never ready");
    }
    assert_eq!(json(&ready().1)["status"], "ready");
    let (head, body) = request(port, "GET", "/health/live");
    assert!(head.starts_with("http/1.1 200 ok"), "{head}");
    assert_eq!(json(&body)["status"], "alive");

    child.terminate();
    let output = child.finish();
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("orders shutdown: SIGTERM"), "{}", output.stderr);
    assert!(output.stderr.contains("exit code 0"), "{}", output.stderr);
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
