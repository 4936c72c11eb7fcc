//! `POST /orders` and its payment: with a provider that fails in each way there is.

use std::{
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use testkit::Child;

use super::{
    PATIENCE, folder,
    http::{Answer, ORDER, connect, get, post},
    orders, serve,
    stub::Stub,
    wait_until_ready,
};

/// The shortest that there is.
const OPEN: Duration = Duration::from_secs(1);

/// A service that pays this provider.
fn paying(stub: &Stub) -> (TempDir, Child, u16) {
    let dir = folder();
    let mut command = orders(&dir);
    command.env("PAYMENT_URL", format!("http://127.0.0.1:{}", stub.port)).env("BREAKER_OPEN", "1s");
    let (child, port) = serve(command);
    (dir, child, port)
}

fn place(port: u16) -> Answer {
    post(port, &[], ORDER)
}

fn stored(port: u16) -> usize {
    get(port, "/orders").json()["orders"].as_array().expect("a list").len()
}

/// Fails if anything of the provider's is in it.
fn expect_payment_error(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (502, "PAYMENT_ERROR"), "{answer:?}");
    for secret in ["INTERNAL", "DECLINED", "declined", "127.0.0.1", "charges", "http:"] {
        assert!(!answer.body.contains(secret), "{secret} in {answer:?}");
    }
}

/// Places an order again and again until it is placed, as a client does that is told to come back.
fn insist(port: u16, headers: &[&str]) -> Answer {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = post(port, headers, ORDER);
        if answer.status == 201 {
            return answer;
        }
        assert!(Instant::now() < deadline, "{answer:?}");
        thread::sleep(Duration::from_millis(100)); // sleep-ok: a client that asks all the time would be limited
    }
}

#[test]
fn an_order_is_paid_for_once() {
    let stub = Stub::start();
    let (_dir, _child, port) = paying(&stub);
    assert_eq!(place(port).status, 201);
    assert_eq!(place(port).status, 201);
    assert_eq!((stub.count("charges"), stub.count("keys"), stub.count("doubled")), (2, 2, 0));
}

#[test]
fn circuit_opens_after_three_failures_fails_fast_and_recovers() {
    let stub = Stub::start();
    let (_dir, child, port) = paying(&stub);
    wait_until_ready(port);
    stub.set("fail", None);
    // One order, with two retries.
    expect_payment_error(&place(port));
    assert_eq!(stub.count("requests"), 3);
    let open = place(port);
    assert_eq!((open.status, open.code().as_str()), (503, "CIRCUIT_OPEN"), "{open:?}");
    assert_eq!(
        (open.json()["breaker"].as_str(), open.header("retry-after")),
        (Some("payment"), Some("1"))
    );

    // It is degraded, and serves.
    assert_eq!(get(port, "/health/ready").status, 200);
    let health = get(port, "/health/ready?verbose").body;
    assert!(
        health.contains("payment circuit") && health.contains("the circuit is open"),
        "{health}"
    );
    assert_eq!(get(port, "/orders").status, 200);
    assert_eq!(stub.count("requests"), 3, "who is down is left alone");

    stub.set("ok", None);
    let begun = Instant::now();
    insist(port, &[]);
    assert!(begun.elapsed() < OPEN + Duration::from_secs(5), "{:?}", begun.elapsed());
    // One success does not close it.
    assert_eq!(get(port, "/health/ready").json()["status"], "degraded");
    assert_eq!(place(port).status, 201);
    assert_eq!(get(port, "/health/ready").json()["status"], "ready");
    child.terminate();
    let said = child.finish().stderr;
    for change in ["payment is open", "payment is half-open", "payment is closed"] {
        assert_eq!(said.matches(change).count(), 1, "{change}: {said}");
    }
    assert_eq!(stub.count("charges"), 2);
}

#[test]
fn a_declined_card_is_not_asked_again_and_does_not_open_the_circuit() {
    let stub = Stub::start();
    let (_dir, _child, port) = paying(&stub);
    stub.set("decline", 10);
    for _ in 0..10 {
        expect_payment_error(&place(port));
    }
    assert_eq!(stub.count("requests"), 10);
    assert_eq!((place(port).status, stored(port)), (201, 1));
}

#[test]
fn a_charge_that_was_made_and_not_answered_for_is_not_made_again() {
    let stub = Stub::start();
    let (_dir, _child, port) = paying(&stub);
    for mode in ["fail-after", "reset", "fail"] {
        let before = stub.count("charges");
        stub.set(mode, 1);
        assert_eq!(place(port).status, 201, "{mode}");
        assert_eq!((stub.count("charges") - before, stub.count("doubled")), (1, 0), "{mode}");
    }
    assert_eq!((stub.count("requests"), stored(port)), (6, 3));
}

#[test]
fn a_client_that_tries_again_with_its_key_pays_once() {
    let stub = Stub::start();
    let (_dir, _child, port) = paying(&stub);
    let key = ["idempotency-key: 6d4b", "x-user-id: ann"];
    stub.set("fail-after", None);
    expect_payment_error(&post(port, &key, ORDER));
    assert_eq!((stub.count("charges"), stored(port)), (1, 0), "paid, and no order");
    stub.set("ok", None);
    let placed = insist(port, &key).json();
    assert_eq!((stub.count("charges"), stub.count("doubled"), stored(port)), (1, 0, 1));
    // What is stored is answered from there.
    let requests = stub.count("requests");
    assert_eq!(post(port, &key, ORDER).json()["id"], placed["id"]);
    let other = post(port, &key, &ORDER.replace("2.5", "3"));
    assert_eq!((other.status, other.code().as_str()), (422, "IDEMPOTENCY_KEY_REUSED"));
    assert_eq!(stub.count("requests"), requests);
}

#[test]
fn users_and_keys_are_never_mistaken_for_each_other() {
    let stub = Stub::start();
    let (_dir, _child, port) = paying(&stub);
    let longest = format!("x-user-id: {}", "\"".repeat(128));
    let longest_key = format!("idempotency-key: {}", "\\".repeat(128));
    for pair in [
        ["x-user-id: a", "idempotency-key: b:c"],
        ["x-user-id: a:b", "idempotency-key: c"],
        ["x-user-id: ab", "idempotency-key: c"],
        ["x-user-id: a", "idempotency-key: bc"],
        [&longest, &longest_key],
    ] {
        assert_eq!(post(port, &pair, ORDER).status, 201, "{pair:?}");
    }
    assert_eq!((stub.count("charges"), stub.count("keys"), stored(port)), (5, 5, 5));
}

#[test]
fn who_throttles_is_waited_for_and_no_longer_than_that_makes_sense() {
    let stub = Stub::start();
    let (_dir, _child, port) = paying(&stub);
    stub.set("throttle", 1);
    let begun = Instant::now();
    assert_eq!(place(port).status, 201);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    stub.set("throttle", None);
    let refused = place(port);
    expect_payment_error(&refused);
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    // It has asked to be left alone. That is no open circuit.
    let unasked = place(port);
    expect_payment_error(&unasked);
    assert!(unasked.header("retry-after").is_some(), "{unasked:?}");
    assert_eq!(stub.count("charges"), 1);
}

#[test]
fn who_trickles_is_given_up_and_has_charged_once() {
    let stub = Stub::start();
    let (_dir, _child, port) = paying(&stub);
    stub.set("trickle", 1);
    let begun = Instant::now();
    assert_eq!(place(port).status, 201);
    // An attempt has 5 s, its body included.
    let limits = Duration::from_secs(5)..Duration::from_secs(12);
    assert!(limits.contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert_eq!((stub.count("requests"), stub.count("charges")), (2, 1));
}

#[test]
fn a_stop_waits_for_the_charge_that_is_under_way() {
    let stub = Stub::start();
    let (_dir, child, port) = paying(&stub);
    stub.set("hang", 1);
    let placing = thread::spawn(move || place(port));
    let deadline = Instant::now() + PATIENCE;
    while stub.count("requests") == 0 {
        assert!(Instant::now() < deadline, "nobody charges");
    }
    child.terminate();
    assert_eq!(placing.join().expect("no panic").status, 201);
    let output = child.finish();
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    assert_eq!(stub.count("charges"), 1);
}

#[test]
fn who_has_paid_and_gone_gets_the_order() {
    let stub = Stub::start();
    let (_dir, child, port) = paying(&stub);
    stub.set("fail", 1);
    let mut client = connect(port);
    let length = ORDER.len();
    let request = format!(
        "POST /orders HTTP/1.1\r\nhost: orders\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{ORDER}"
    );
    client.write_all(request.as_bytes()).expect("it reads");
    let deadline = Instant::now() + PATIENCE;
    while stub.count("requests") == 0 {
        assert!(Instant::now() < deadline, "nobody charges");
    }
    // While the next attempt is waited for.
    drop(client);
    while stored(port) == 0 {
        assert!(Instant::now() < deadline, "the order is lost");
    }
    assert_eq!(stub.count("charges"), 1);
    child.terminate();
    assert_eq!(child.finish().status.code(), Some(0));
}

#[test]
fn without_a_provider_there_is_one_inside() {
    let dir = folder();
    let (child, port) = serve(orders(&dir));
    assert_eq!(place(port).status, 201);
    child.terminate();
    let output = child.finish();
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("nobody pays until PAYMENT_URL is set"), "{}", output.stderr);
}
