//! One process after the other, beside the other, and killed.

use std::{
    io::Write as _,
    net::{TcpListener, UdpSocket},
    os::fd::{AsFd, AsRawFd as _},
    process::Command,
    time::{Duration, Instant},
};

use rustix::io::{FdFlags, fcntl_setfd};
use testkit::{Child, full_or, is_full, run};

use super::{
    PATIENCE, folder,
    http::{get, place},
    orders, serve, wait_until_ready,
};

/// Hands a socket over as systemd does, but under the number that it has here.
fn hand_over(command: &mut Command, socket: impl AsFd) {
    let socket = socket.as_fd();
    fcntl_setfd(socket, FdFlags::empty()).expect("it can be inherited");
    command.env("LISTEN_FDS", "1").env("LISTEN_FDS_FIRST_FD", socket.as_raw_fd().to_string());
}

fn start(dir: &tempfile::TempDir, listener: &TcpListener) -> Child {
    let mut command = orders(dir);
    command.arg("api");
    hand_over(&mut command, listener);
    let child = Child::spawn(command, PATIENCE);
    child.wait_for_line("orders listens on");
    child
}

#[test]
fn one_process_takes_over_from_another_on_the_same_socket() {
    let dir = folder();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let old = start(&dir, &listener);
    let mut placed = vec![place(port)];
    let new = start(&dir, &listener);
    placed.push(place(port));
    old.terminate();
    assert_eq!(old.finish().status.code(), Some(0));
    placed.push(place(port));
    let page = get(port, "/orders").json();
    let ids = page["orders"].as_array().expect("a list").iter().map(|order| order["id"].as_str());
    assert!(ids.eq(placed.iter().map(|id| Some(id.as_str()))), "{page}");
    new.terminate();
    assert_eq!(new.finish().status.code(), Some(0));
}

#[test]
fn what_is_handed_over_must_listen() {
    let dir = folder();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let mut command = orders(&dir);
    hand_over(&mut command, &socket);
    let output = run(command, PATIENCE);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.contains("LISTEN_FDS names no TCP socket"), "{}", output.stderr);

    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let socket = std::net::TcpStream::connect(address).expect("it listens");
    let mut command = orders(&dir);
    hand_over(&mut command, &socket);
    let output = run(command, PATIENCE);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        output.stderr.contains("LISTEN_FDS names a socket that does not listen"),
        "{}",
        output.stderr
    );
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let dir = folder();
    let (child, port) = serve(orders(&dir));
    let placed: Vec<String> = (0..10).map(|_| place(port)).collect();
    child.kill();
    drop(child);
    let (_child, port) = serve(orders(&dir));
    let page = get(port, "/orders").json();
    assert_eq!(page["orders"].as_array().map(Vec::len), Some(placed.len()));
}

#[test]
fn it_is_ready_soon_after_its_start() {
    let dir = folder();
    let mut times: Vec<Duration> = (0..full_or(20, 3))
        .map(|_| {
            let begun = Instant::now();
            let (child, port) = serve(orders(&dir));
            wait_until_ready(port);
            let time = begun.elapsed();
            child.terminate();
            assert_eq!(child.finish().status.code(), Some(0));
            time
        })
        .collect();
    times.sort_unstable();
    let median = times[times.len() / 2];
    let _ = writeln!(std::io::stdout(), "orders: ready {median:?} after its start, as a median");
    // A figure for a reader in an ordinary run, when others may use the machine, and a bar in a full one.
    assert!(!is_full() || median < Duration::from_millis(500), "{times:?}");
}

#[test]
fn a_lame_duck_serves_and_is_not_ready() {
    let dir = folder();
    let mut command = orders(&dir);
    command.env("LAME_DUCK", "1s");
    let (child, port) = serve(command);
    wait_until_ready(port);
    let begun = Instant::now();
    child.terminate();
    let ready = loop {
        let answer = get(port, "/health/ready");
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!((ready.status, ready.body.as_str()), (503, r#"{"status":"shutting_down"}"#));
    assert_eq!(get(port, "/health/live").status, 200);
    place(port);
    assert_eq!(child.finish().status.code(), Some(0));
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[test]
fn a_folder_that_cannot_be_made_is_said_with_the_fix() {
    let dir = folder();
    std::fs::write(dir.path().join("file"), "").expect("it can be written");
    let mut command = orders(&dir);
    command.env("DATA_DIR", "file/data").env("PORT", super::free_port().to_string());
    let output = run(command, PATIENCE);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.contains("set DATA_DIR to one that can be written"), "{}", output.stderr);
}

#[test]
fn a_file_that_is_no_database_is_said_with_the_cause() {
    let dir = folder();
    std::fs::create_dir(dir.path().join("data")).expect("it can be made");
    let text = "not a database ".repeat(100);
    std::fs::write(dir.path().join("data/orders.db"), &text).expect("it can be written");
    let mut command = orders(&dir);
    command.env("PORT", super::free_port().to_string());
    let output = run(command, PATIENCE);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.contains("file is not a database"), "{}", output.stderr);
    let kept = std::fs::read_to_string(dir.path().join("data/orders.db")).expect("it is there");
    assert_eq!(kept, text, "nobody has written to it");
}
