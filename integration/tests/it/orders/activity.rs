//! `GET /activity`: what has happened, whatever happens to the log.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    thread,
    time::Instant,
};

use serde_json::Value as Json;
use tempfile::TempDir;
use testkit::{Child, full_or, or_skip, program};

use super::{
    PATIENCE, folder,
    http::{ORDER, connect, get, place, post},
    json, orders, serve,
    stub::Stub,
    wait_until_ready,
};

/// The lines of the log, one after the other. It is asked for in HTTP/1.0, where a body has no frames.
fn lines(port: u16) -> impl Iterator<Item = String> {
    let mut stream = connect(port);
    stream.write_all(b"GET /activity HTTP/1.0\r\n\r\n").expect("it reads");
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("it goes on or ends"));
    let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(head[0].contains(" 200 "), "{head:?}");
    assert!(head.iter().any(|line| line == "content-type: application/x-ndjson"), "{head:?}");
    lines
}

fn records(port: u16) -> Vec<Json> {
    lines(port).map(|line| json(&line)).collect()
}

/// The orders that the log says were placed.
fn placed(port: u16) -> Vec<String> {
    let records = records(port);
    let placed = records.iter().filter(|record| record["event"] == "order_placed");
    placed.map(|record| record["order_id"].as_str().expect("an id").to_owned()).collect()
}

/// Nobody waits for the log, so what is told now is there a little later.
#[track_caller]
fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
    }
}

fn status(port: u16) -> String {
    let health = get(port, "/health/ready");
    assert_eq!(health.status, 200, "it serves, whatever happens to the log: {health:?}");
    health.json()["status"].as_str().expect("a status").to_owned()
}

fn end(child: Child) -> String {
    child.terminate();
    let output = child.finish();
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    output.stderr
}

#[test]
fn each_step_of_an_order_is_a_record() {
    let stub = Stub::start();
    let dir = folder();
    let mut command = orders(&dir);
    command.env("PAYMENT_URL", format!("http://127.0.0.1:{}", stub.port));
    let (_child, port) = serve(command);
    let ann = ["x-user-id: ann"];
    assert_eq!(records(port), Vec::<Json>::new());
    stub.set("decline", 1);
    assert_eq!(post(port, &ann, ORDER).status, 502);
    // The same order twice is one.
    let twice = ["x-user-id: ann", "idempotency-key: k"];
    let order = post(port, &twice, ORDER).json()["id"].clone();
    assert_eq!(post(port, &twice, ORDER).json()["id"], order);
    // What is wrong in itself leaves no trace.
    assert_eq!(post(port, &ann, "{}").status, 400);
    wait_for("it is filled", || records(port).len() >= 4);
    let records = records(port);
    let events: Vec<&str> =
        records.iter().map(|record| record["event"].as_str().expect("an event")).collect();
    assert_eq!(events, ["order_failed", "order_paid", "order_placed", "order_filled"]);
    let [failed, paid, placed, filled] = &records[..] else { panic!("{records:?}") };
    assert_eq!((&failed["user"], &failed["code"]), (&"ann".into(), &"PAYMENT_ERROR".into()));
    assert!(paid["payment"].is_string() && paid["payment"] == placed["payment"], "{records:?}");
    assert_eq!((&placed["order_id"], &filled["order_id"]), (&order, &order));
    let ids: BTreeSet<&str> =
        records.iter().map(|record| record["id"].as_str().expect("an id")).collect();
    assert_eq!(ids.len(), 4);
    assert!(records.is_sorted_by_key(|record| record["timestamp"].as_str().map(str::to_owned)));
}

#[test]
fn what_was_shown_is_there_after_a_kill() {
    let dir = folder();
    let mut shown: Vec<String> = Vec::new();
    for _ in 0..full_or(20, 3) {
        let (child, port) = serve(orders(&dir));
        let after: Vec<String> = lines(port).collect();
        assert!(
            after.len() >= shown.len() && after[..shown.len()] == shown,
            "{shown:#?}{after:#?}"
        );
        let begun = after.len();
        thread::scope(|scope| {
            for user in 0..4 {
                let user = format!("x-user-id: user-{user}");
                scope.spawn(move || {
                    // Until it is killed in the middle of an answer, or before.
                    let mut stream = connect(port);
                    let request = format!(
                        "POST /orders HTTP/1.1\r\nhost: orders\r\n{user}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ORDER}",
                        ORDER.len()
                    );
                    while stream.write_all(request.as_bytes()).is_ok()
                        && matches!(std::io::Read::read(&mut stream, &mut [0; 4096]), Ok(1..))
                    {}
                });
            }
            wait_for("there are more", || {
                shown = lines(port).collect();
                shown.len() >= begun + 40
            });
            child.kill();
        });
        drop(child);
    }
    let (child, port) = serve(orders(&dir));
    assert!(lines(port).take(shown.len()).eq(shown.iter().cloned()));
    assert!(records(port).iter().all(|record| record["id"].is_string()));
    end(child);
}

#[test]
fn when_it_rotates_nothing_is_lost_between_the_files() {
    let dir = folder();
    let mut command = orders(&dir);
    command.env("ACTIVITY_FILE_SIZE", "64KiB").env("RATE_LIMIT", "100000/1s");
    let (child, port) = serve(command);
    let file = |name: &str| dir.path().join("data").join(name);
    let mut all = Vec::new();
    while !file("activity.jsonl.2").exists() {
        all.extend((0..20).map(|_| place(port)));
    }
    wait_for("all are there", || placed(port).len() >= all.len());
    assert_eq!(placed(port), all);
    for name in ["activity.jsonl", "activity.jsonl.1", "activity.jsonl.2"] {
        assert!(fs::metadata(file(name)).expect("it is there").len() <= 64 << 10, "{name}");
    }
    end(child);
}

/// Makes a log that is not ours to make.
fn prepare(dir: &TempDir) -> std::path::PathBuf {
    let data = dir.path().join("data");
    fs::create_dir(&data).expect("it can be made");
    data.join("activity.jsonl")
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_costs_no_order_and_is_said_until_it_is_over() {
    let disk = or_skip!(crate::crash::mounts::dir());
    let _mount = crate::crash::mounts::small(disk.path());
    let dir = folder();
    // The log alone is on the disk that is full.
    std::os::unix::fs::symlink(disk.path().join("activity.jsonl"), prepare(&dir))
        .expect("it can be made");
    let (child, port) = serve(orders(&dir));
    wait_until_ready(port);
    assert_eq!(status(port), "ready");
    let kept = place(port);
    wait_for("it is there", || placed(port) == [kept.clone()]);
    let filler = disk.path().join("filler");
    // A page of the log may have room left.
    fs::write(&filler, vec![0; 2 << 20]).expect_err("it is full then");
    let mut lost = Vec::new();
    wait_for("it is degraded", || {
        lost.push(place(port));
        status(port) == "degraded"
    });
    child.wait_for_line("activity log: records are being lost: cannot append to ");
    let health = get(port, "/health/ready?verbose").body;
    assert!(health.contains("records were lost: cannot append to "), "{health}");
    fs::remove_file(filler).expect("it is there");
    child.wait_for_line("activity log: all is well again, ");
    assert_eq!(status(port), "ready");
    let again = place(port);
    wait_for("it is there", || placed(port).contains(&again));
    // The log lacks some, and the database none.
    let stored = get(port, "/orders?limit=100").json();
    let stored = stored["orders"].as_array().expect("a list").len();
    assert_eq!(stored, lost.len() + 2);
    assert!(records(port).iter().all(|record| record["id"].is_string()));
    end(child);
}

#[test]
fn a_log_whose_flush_has_failed_is_opened_again() {
    let strace = or_skip!(program("strace"));
    let dir = folder();
    let (child, port) = serve(orders(&dir));
    wait_until_ready(port);
    let first = place(port);
    wait_for("it is there", || placed(port) == [first.clone()]);
    let mut command = strace.command();
    let path = fs::canonicalize(dir.path().join("data/activity.jsonl")).expect("it is there");
    // Once in each thread, of which one flushes.
    command.args(["-f", "-o", "/dev/null", "-e", "trace=fdatasync,fsync"]);
    command.args(["-e", "inject=fdatasync,fsync:error=EIO:when=1", "-P"]).arg(&path);
    command.args(["-p", &child.pid().to_string()]);
    let strace = Child::spawn(command, PATIENCE);
    strace.wait_for_line("attached");
    let second = place(port);
    child.wait_for_line("activity log: records are being lost: cannot append to ");
    assert_eq!(status(port), "degraded");
    strace.terminate();
    drop(strace.finish());
    wait_for("it is over", || status(port) == "ready");
    let third = place(port);
    // What was not flushed is in the file, until the power is cut.
    wait_for("they are there", || placed(port) == [first.clone(), second.clone(), third.clone()]);
    end(child);
}

#[test]
fn a_file_that_is_none_costs_no_order() {
    let dir = folder();
    let path = prepare(&dir);
    fs::create_dir(&path).expect("it can be made");
    let (child, port) = serve(orders(&dir));
    wait_until_ready(port);
    wait_for("it is degraded", || status(port) == "degraded");
    place(port);
    fs::remove_dir(&path).expect("it is empty");
    wait_for("it is over", || status(port) == "ready");
    let id = place(port);
    wait_for("it is there", || placed(port) == [id.clone()]);
    assert!(end(child).contains("it is not a regular file"));
}

/// The most memory that the process has had, in KiB.
#[cfg(target_os = "linux")]
fn peak(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
#[cfg(target_os = "linux")]
fn a_log_of_any_size_is_streamed_and_what_is_no_record_is_counted() {
    let size: usize = full_or(500 << 20, 50 << 20);
    let dir = folder();
    let mut file = std::io::BufWriter::new(fs::File::create(prepare(&dir)).expect("it is made"));
    let (mut written, mut good, mut bad) = (0, 0, 0);
    while written < size {
        let line = if written % 1009 == 0 {
            bad += 1;
            "{\"id\":\"torn by a kill\n".to_owned()
        } else {
            good += 1;
            format!("{{\"id\":\"{good}\",\"event\":\"order_filled\",\"more\":\"{:200}\"}}\n", "")
        };
        file.write_all(line.as_bytes()).expect("there is room");
        written += line.len();
    }
    drop(file);
    let (child, port) = serve(orders(&dir));
    wait_until_ready(port);
    let before = peak(&child);
    assert_eq!(lines(port).count(), good);
    let growth = peak(&child) - before;
    let _ = writeln!(
        std::io::stdout(),
        "orders: a log of {} MiB takes {growth} KiB more, {before} KiB before",
        size >> 20
    );
    assert!(growth < 8 << 10, "{growth} KiB");
    child.wait_for_line(&format!("activity log: {bad} lines are no records, and were skipped"));
    end(child);
}
