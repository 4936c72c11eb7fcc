//! More clients than the process has descriptors for.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use testkit::Child;

use super::{
    folder,
    http::{connect, get},
    orders, serve, wait_until_ready,
};

/// What the process may have beyond what it has.
const SPARE: u64 = 20;

/// A service that has no descriptor left, and the connections that hold them.
fn exhausted(dir: &tempfile::TempDir) -> (Child, u16, Vec<TcpStream>) {
    let (child, port) = serve(orders(dir));
    wait_until_ready(port);
    let has = fs::read_dir(format!("/proc/{}/fd", child.pid())).expect("it runs").count();
    let most = Some(has as u64 + SPARE);
    let pid = i32::try_from(child.pid()).ok().and_then(Pid::from_raw).expect("a process id");
    prlimit(Some(pid), Resource::Nofile, Rlimit { current: most, maximum: most })
        .expect("a limit can be lowered");
    let idle = (0..3 * SPARE).map(|_| connect(port)).collect();
    (child, port, idle)
}

fn ask(stream: &mut TcpStream) {
    let request = "GET /version HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("the kernel takes it");
}

fn is_answered(mut stream: TcpStream) -> bool {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200 ")
}

#[test]
fn who_waits_for_a_descriptor_is_served_when_there_is_one() {
    let dir = folder();
    let (child, port, idle) = exhausted(&dir);
    let mut waiting = connect(port);
    ask(&mut waiting);
    drop(idle);
    assert!(is_answered(waiting));
    assert_eq!(get(port, "/version").status, 200);
    child.terminate();
    assert_eq!(child.finish().status.code(), Some(0));
}

#[test]
fn who_waits_for_a_descriptor_at_the_stop_is_served_when_there_is_one() {
    let dir = folder();
    let (child, port, idle) = exhausted(&dir);
    let mut waiting: Vec<TcpStream> = (0..5).map(|_| connect(port)).collect();
    waiting.iter_mut().for_each(ask);
    child.terminate();
    // Nobody tells when the queue was looked at for the first time; it is looked at for half a second.
    thread::sleep(Duration::from_millis(150)); // sleep-ok: as above
    drop(idle);
    assert!(waiting.into_iter().all(is_answered));
    assert_eq!(child.finish().status.code(), Some(0));
}
