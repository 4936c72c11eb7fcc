//! `orders payment-stub`: it keeps honest books, and misbehaves as it is told to.

use std::{
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};
use testkit::{Child, run};

use super::{
    PATIENCE, folder,
    http::{Answer, connect, get, request},
    orders,
};

/// The payment provider of a test.
pub(super) struct Stub {
    child: Child,
    pub(super) port: u16,
}

impl Stub {
    pub(super) fn start() -> Stub {
        let dir = folder();
        let mut command = orders(&dir);
        command.arg("payment-stub");
        let child = Child::spawn(command, PATIENCE * 3);
        let line = child.wait_for_line("payment stub listens on http://127.0.0.1:");
        let port = line.split(':').nth(2).and_then(|rest| rest.parse().ok()).expect("a port");
        Stub { child, port }
    }

    /// Sets the mode for so many charges, or until it is set again.
    pub(super) fn set(&self, mode: &str, charges: impl Into<Option<u32>>) {
        let setting = match charges.into() {
            Some(charges) => json!({"mode": mode, "for": charges}),
            None => json!({"mode": mode}),
        };
        let answer = self.put_mode(&setting.to_string());
        assert_eq!((answer.status, answer.json()), (200, setting));
    }

    fn put_mode(&self, body: &str) -> Answer {
        request(self.port, "PUT", "/mode", &["content-type: application/json"], body)
    }

    /// One of `requests`, `charges`, `keys` and `doubled`.
    pub(super) fn count(&self, name: &str) -> u64 {
        get(self.port, "/charges").json()[name].as_u64().expect("it is counted")
    }

    fn charge(&self, headers: &[&str], body: &str) -> Answer {
        let headers = [&["content-type: application/json"], headers].concat();
        request(self.port, "POST", "/charges", &headers, body)
    }

    /// A charge of which nothing is read yet.
    fn begin(&self) -> TcpStream {
        let mut stream = connect(self.port);
        let length = CHARGE.len();
        let head = format!(
            "POST /charges HTTP/1.1\r\nhost: stub\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(format!("{head}{CHARGE}").as_bytes()).expect("it reads");
        stream
    }
}

const CHARGE: &str =
    r#"{"reference":"order 7","customer":"ann","cents":99,"description":"buy 1 ACME"}"#;

#[test]
fn a_key_is_charged_once() {
    let stub = Stub::start();
    let key = ["idempotency-key: \"k\""];
    let first = stub.charge(&key, CHARGE);
    let receipt: Json = first.json();
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(
        (receipt["reference"].as_str(), receipt["cents"].as_u64()),
        (Some("order 7"), Some(99))
    );
    let again = stub.charge(&key, CHARGE);
    assert_eq!((again.status, again.json()), (200, receipt));
    let other = stub.charge(&key, &CHARGE.replace("99", "98"));
    assert_eq!((other.status, other.code().as_str()), (422, "IDEMPOTENCY_KEY_REUSED"));
    let counts = get(stub.port, "/charges").json();
    assert_eq!(counts, json!({"requests": 3, "charges": 1, "keys": 1, "doubled": 0}));
}

#[test]
fn without_a_key_it_charges_each_time_and_counts_what_is_doubled() {
    let stub = Stub::start();
    let both = [stub.charge(&[], CHARGE), stub.charge(&[], CHARGE)];
    assert!(both.iter().all(|answer| answer.status == 201), "{both:?}");
    let counts = get(stub.port, "/charges").json();
    assert_eq!(counts, json!({"requests": 2, "charges": 2, "keys": 0, "doubled": 1}));
}

#[test]
fn each_way_to_fail_is_what_it_says_for_as_many_charges() {
    let stub = Stub::start();
    for (mode, status, charges) in [
        ("fail", 500, 0),
        ("fail-after", 500, 2),
        ("decline", 402, 0),
        ("throttle", 429, 0),
        ("ok", 201, 2),
    ] {
        let before = stub.count("charges");
        stub.set(mode, 2);
        for _ in 0..2 {
            let answer = stub.charge(&[], CHARGE);
            assert_eq!(answer.status, status, "{mode}: {answer:?}");
            assert_eq!(answer.header("retry-after").is_some(), mode == "throttle", "{answer:?}");
        }
        assert_eq!(stub.count("charges") - before, charges, "{mode}");
        assert_eq!(stub.charge(&[], CHARGE).status, 201, "{mode} is over");
    }
    assert_eq!(get(stub.port, "/mode").json(), json!({"mode": "ok"}));
}

#[test]
fn a_reset_is_one_and_no_byte_comes_before_it() {
    let stub = Stub::start();
    stub.set("reset", 1);
    let mut answer = Vec::new();
    let error = stub.begin().read_to_end(&mut answer).expect_err("it is reset");
    assert_eq!((error.kind(), answer), (ErrorKind::ConnectionReset, Vec::new()));
    assert_eq!(stub.count("charges"), 0);
}

#[test]
fn who_hangs_says_nothing_and_who_trickles_a_byte_a_second() {
    let stub = Stub::start();
    stub.set("hang", 1);
    let mut silent = stub.begin();
    // Until the first charge was counted, the second might be the one that hangs.
    let deadline = Instant::now() + PATIENCE;
    while stub.count("requests") == 0 {
        assert!(Instant::now() < deadline, "the charge does not arrive");
    }
    stub.set("trickle", 1);
    let begun = Instant::now();
    let lines = BufReader::new(stub.begin()).lines();
    let mut body = lines.map(|line| line.expect("it goes on")).skip_while(|line| !line.is_empty());
    // Each byte is a chunk of its own, and its length a line before it.
    for expected in ["", "1", "{", "1", "\""] {
        assert_eq!(body.next().as_deref(), Some(expected));
    }
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    silent.set_nonblocking(true).expect("it can be");
    let nothing = silent.read(&mut [0]).expect_err("nothing is there");
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);

    // Neither of them holds up the stop.
    stub.child.terminate();
    let output = stub.child.finish();
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

#[test]
fn what_is_wrong_is_answered_with_a_problem() {
    let stub = Stub::start();
    for body in ["", "{", "[]", "{}", r#"{"mode":"worse"}"#, r#"{"mode":"ok","for":0}"#] {
        let answer = stub.put_mode(body);
        assert_eq!((answer.status, answer.code().as_str()), (400, "VALIDATION_ERROR"), "{body}");
    }
    let no_reference = CHARGE.replace("order 7", "");
    let negative = CHARGE.replace("99", "-1");
    for body in ["", "null", "{}", CHARGE.trim_end_matches('}'), &no_reference, &negative] {
        let answer = stub.charge(&[], body);
        assert_eq!((answer.status, answer.code().as_str()), (400, "VALIDATION_ERROR"), "{body}");
    }
    let long = format!("idempotency-key: {}", "k".repeat(601));
    for headers in
        [&["idempotency-key: "][..], &["idempotency-key: a", "idempotency-key: b"], &[&long]]
    {
        let answer = stub.charge(headers, CHARGE);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "VALIDATION_ERROR"),
            "{headers:?}"
        );
    }
    assert_eq!(stub.charge(&[], &"x".repeat(20_000)).status, 413);
    assert_eq!(get(stub.port, "/orders").code(), "NOT_FOUND");
    assert_eq!(request(stub.port, "DELETE", "/charges", &[], "").status, 405);
    assert_eq!(stub.count("requests"), 0);
}

#[test]
fn it_listens_where_it_is_told_and_refuses_what_it_does_not_know() {
    let dir = folder();
    let mut command = orders(&dir);
    let port = super::free_port();
    command.args(["payment-stub", "--port", &port.to_string()]);
    let child = Child::spawn(command, PATIENCE);
    child.wait_for_line(&format!("payment stub listens on http://127.0.0.1:{port}"));
    for wrong in [
        &["--port"][..],
        &["--port", "65536"],
        &["--port", "x"],
        &["--port", "1", "2"],
        &["--evil"],
    ] {
        let mut command = orders(&dir);
        command.arg("payment-stub").args(wrong);
        let output = run(command, PATIENCE);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(output.stderr.contains("usage: orders"), "{}", output.stderr);
    }
}
