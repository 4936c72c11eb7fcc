//! Records are appended whole, by many at once, and a torn end is mended.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::MetadataExt as _,
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

use proptest::prelude::*;
use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::{Value, json};
use underpin_fsx::{ErrorKind, Flush, Jsonl as AsyncJsonl, Repair, State, blocking::Jsonl};

use crate::{names, read, temp_dir};

fn open(path: &Path) -> Jsonl<Value> {
    Jsonl::at(path).open().expect("it opens")
}

/// Every line, which has to be JSON.
fn records(path: &Path) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    read(path).lines().map(parse).collect()
}

#[test]
fn record_is_a_line_and_is_there_when_append_returns() {
    let dir = temp_dir();
    let path = dir.path().join("a.jsonl");
    let log = open(&path);
    for n in 0..3 {
        log.append(&json!({ "n": n })).expect("it is appended");
        assert_eq!(records(&path).len(), n + 1);
    }
    log.close().expect("it closes");
    let log = open(&path);
    log.append(&json!("text\nwith a line feed")).expect("it is appended");
    assert_eq!(read(&path), "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n\"text\\nwith a line feed\"\n");
    assert_eq!(log.repaired(), None);
}

#[test]
fn threads_and_writers_at_once_lose_and_mix_nothing() {
    let dir = temp_dir();
    let path = dir.path().join("a.jsonl");
    thread::scope(|scope| {
        for writer in 0..4 {
            let log: Jsonl<Value> = Jsonl::at(&path).flush(Flush::Never).open().expect("it opens");
            for thread in 0..2 {
                let log = log.clone();
                scope.spawn(move || {
                    for n in 0..100 {
                        let record = json!({ "id": [writer, thread, n], "pad": "x".repeat(300) });
                        log.append(&record).expect("it is appended");
                    }
                });
            }
        }
    });
    let mut ids: Vec<_> = records(&path).iter().map(|record| record["id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 800);
}

#[tokio::test]
async fn tasks_share_flushes() {
    let dir = temp_dir();
    let path = dir.path().join("a.jsonl");
    let log: AsyncJsonl<u32> = AsyncJsonl::at(&path).open().await.expect("it opens");
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let log = log.clone();
            tokio::spawn(async move { log.append(&n).await })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic").expect("it is appended");
    }
    log.close().await.expect("it closes");
    assert_eq!(records(&path).len(), 64);
}

#[test]
fn stamped_record_has_an_id_and_a_time() {
    let dir = temp_dir();
    let path = dir.path().join("a.jsonl");
    let log: Jsonl<Value> = Jsonl::at(&path).stamped().open().expect("it opens");
    log.append(&json!({ "event": "login" })).expect("it is appended");
    log.append(&json!({})).expect("it is appended");
    let error = log.append(&json!([1])).expect_err("no object");
    assert_eq!(error.kind(), ErrorKind::Json);
    let records = records(&path);
    assert_eq!((records.len(), &records[0]["event"]), (2, &json!("login")));
    let ids: Vec<_> = records.iter().map(|record| record["id"].as_str().expect("text")).collect();
    assert!(ids[0] != ids[1] && ids[0].len() == 36 && ids[0].as_bytes()[14] == b'4');
    let time = records[0]["timestamp"].as_str().expect("text");
    assert!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z'), "{time}");
    assert!(read(&path).starts_with("{\"id\":\""));
}

#[test]
fn too_large_a_record_is_refused_before_a_byte_is_written() {
    let dir = temp_dir();
    let path = dir.path().join("a.jsonl");
    let log: Jsonl<String> = Jsonl::at(&path).max_record(10).open().expect("it opens");
    let error = log.append(&"12345678".to_owned()).expect_err("11 bytes");
    assert_eq!((error.kind(), error.state()), (ErrorKind::TooLarge, State::Unchanged));
    assert_eq!(read(&path), "");
    log.append(&"1234567".to_owned()).expect("10 bytes");
    assert_eq!(read(&path), "\"1234567\"\n");
}

struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("on purpose"))
    }
}

#[test]
fn record_that_is_no_json_is_refused() {
    let dir = temp_dir();
    let path = dir.path().join("a.jsonl");
    let log: Jsonl<Unwritable> = Jsonl::at(&path).open().expect("it opens");
    assert_eq!(log.append(&Unwritable).expect_err("no JSON").kind(), ErrorKind::Json);
    assert_eq!(read(&path), "");
}

#[test]
fn torn_end_becomes_a_line_of_its_own() {
    let dir = temp_dir();
    let path = dir.path().join("a.jsonl");
    for tail in ["{\"a\":", "\0\0\0", "{\"a\":\"\u{e4}", "12", &"x".repeat(3 << 20)] {
        // Half a character, too.
        let tail = &tail.as_bytes()[..tail.len() - usize::from(tail.ends_with('\u{e4}'))];
        fs::write(&path, [b"{}\n", tail].concat()).expect("it is written");
        let log = open(&path);
        let repaired = log.repaired().expect("it was torn");
        let expected = (3, tail.len() as u64, false);
        assert_eq!((repaired.offset, repaired.bytes, repaired.complete), expected);
        log.append(&json!([1])).expect("it is appended");
        let expected = [b"{}\n", tail, b"\n[1]\n"].concat();
        assert_eq!(fs::read(&path).expect("it can be read"), expected);
    }
}

#[test]
fn whole_record_without_its_line_feed_gets_one() {
    let dir = temp_dir();
    let path = dir.path().join("a.jsonl");
    for repair in [Repair::Isolate, Repair::Quarantine, Repair::Refuse] {
        fs::write(&path, "{\"a\":1}").expect("it is written");
        let log: Jsonl<Value> = Jsonl::at(&path).repair(repair).open().expect("it opens");
        assert!(log.repaired().expect("it lacked one").complete);
        assert_eq!(read(&path), "{\"a\":1}\n");
    }
    assert_eq!(names(dir.path()), ["a.jsonl"]);
}

#[test]
fn torn_end_is_quarantined_or_refused_if_asked() {
    let dir = temp_dir();
    let path = dir.path().join("a.jsonl");
    fs::write(&path, "{}\n{\"torn").expect("it is written");
    let refused = Jsonl::<Value>::at(&path).repair(Repair::Refuse).open().expect_err("it is torn");
    assert_eq!(refused.kind(), ErrorKind::Torn);
    assert_eq!(read(&path), "{}\n{\"torn");
    for copy in ["a.jsonl.torn-3", "a.jsonl.torn-3.again"] {
        fs::write(&path, "{}\n{\"torn").expect("it is written");
        let log: Jsonl<Value> =
            Jsonl::at(&path).repair(Repair::Quarantine).open().expect("it opens");
        log.append(&json!([])).expect("it is appended");
        assert_eq!(read(&path), "{}\n[]\n");
        assert_eq!(read(dir.path().join(copy)), "{\"torn");
    }
}

#[test]
fn end_that_another_process_tears_is_mended_by_the_next_append() {
    let dir = temp_dir();
    let path = dir.path().join("a.jsonl");
    let log = open(&path);
    log.append(&json!(1)).expect("it is appended");
    let mut other = fs::OpenOptions::new().append(true).open(&path).expect("it opens");
    other.write_all(b"{\"torn").expect("it is written");
    log.append(&json!(2)).expect("it is appended");
    assert_eq!(read(&path), "1\n{\"torn\n2\n");
    assert_eq!(log.repaired().expect("it was torn").offset, 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_any_end_the_old_bytes_and_the_new_record_are_there(tail in prop::collection::vec(
        prop_oneof![Just(b'\n'), Just(b'{'), Just(b'}'), Just(b'"'), Just(0), any::<u8>()], 0..40,
    )) {
        let dir = temp_dir();
        let path = dir.path().join("a.jsonl");
        fs::write(&path, &tail).expect("it is written");
        let log: Jsonl<u32> = Jsonl::at(&path).flush(Flush::Never).open().expect("it opens");
        log.append(&7).expect("it is appended");
        let is_whole = tail.is_empty() || tail.ends_with(b"\n");
        let mut expected = tail;
        if !is_whole {
            expected.push(b'\n');
        }
        expected.extend(b"7\n");
        prop_assert_eq!(fs::read(&path).expect("it can be read"), expected);
    }
}

#[test]
fn full_queue_is_said_and_waited_for() {
    let dir = temp_dir();
    let path = dir.path().join("a.jsonl");
    let log: Jsonl<u32> = Jsonl::at(&path).queue(2, 1 << 20).open().expect("it opens");
    // While somebody else holds the lock, nothing is written.
    let holder = fs::File::open(&path).expect("it opens");
    holder.lock().expect("it locks");
    log.try_append(&1).expect("there is room");
    log.try_append(&2).expect("there is room");
    assert_eq!(log.try_append(&3).expect_err("no room").kind(), ErrorKind::QueueFull);
    thread::scope(|scope| {
        let waits = scope.spawn(|| log.append(&3));
        holder.unlock().expect("it unlocks");
        waits.join().expect("no panic").expect("it is appended");
    });
    assert_eq!(read(&path), "1\n2\n3\n");
}

#[tokio::test]
async fn append_that_is_given_up_in_the_queue_writes_nothing() {
    let dir = temp_dir();
    let path = dir.path().join("a.jsonl");
    let log: AsyncJsonl<u32> =
        AsyncJsonl::at(&path).queue(1, 1 << 20).open().await.expect("it opens");
    let holder = fs::File::open(&path).expect("it opens");
    holder.lock().expect("it locks");
    log.try_append(&1).expect("there is room");
    let waits = tokio::time::timeout(Duration::from_millis(5), log.append(&2)).await;
    assert!(waits.is_err());
    holder.unlock().expect("it unlocks");
    log.append(&3).await.expect("it is appended");
    assert_eq!(read(&path), "1\n3\n");
}

#[test]
fn rotation_keeps_so_many_files_and_loses_nothing() {
    let dir = temp_dir();
    let path = dir.path().join("a.jsonl");
    let log: Jsonl<String> = Jsonl::at(&path).rotate(20, 2).open().expect("it opens");
    let other: Jsonl<String> = Jsonl::at(&path).open().expect("it opens");
    for n in 0..4 {
        log.append(&format!("ours {n}")).expect("it is appended");
        other.append(&format!("its {n}")).expect("it is appended");
    }
    assert_eq!(names(dir.path()), ["a.jsonl", "a.jsonl.1", "a.jsonl.2"]);
    assert_eq!(read(dir.path().join("a.jsonl.2")), "\"ours 1\"\n\"its 1\"\n");
    assert_eq!(read(dir.path().join("a.jsonl.1")), "\"ours 2\"\n\"its 2\"\n");
    assert_eq!(read(&path), "\"ours 3\"\n\"its 3\"\n");
}

#[test]
fn file_that_is_removed_is_created_anew() {
    let dir = temp_dir();
    let path = dir.path().join("a.jsonl");
    let log = open(&path);
    log.append(&json!(1)).expect("it is appended");
    fs::remove_file(&path).expect("it is there");
    log.append(&json!(2)).expect("it is appended");
    assert_eq!(read(&path), "2\n");
}

#[test]
fn every_and_never_acknowledge_what_is_written() {
    let dir = temp_dir();
    for (name, flush) in
        [("every", Flush::Every(Duration::from_millis(1))), ("never", Flush::Never)]
    {
        let path = dir.path().join(name);
        let log: Jsonl<u32> = Jsonl::at(&path).flush(flush).open().expect("it opens");
        for n in 0..10 {
            log.append(&n).expect("it is appended");
        }
        assert_eq!(records(&path).len(), 10);
        log.close().expect("it closes");
    }
}

#[test]
fn closed_log_takes_nothing_and_a_dropped_one_writes_what_it_has() {
    let dir = temp_dir();
    let path = dir.path().join("a.jsonl");
    let log = open(&path);
    let clone = log.clone();
    clone.try_append(&json!(1)).expect("there is room");
    clone.close().expect("it closes");
    assert_eq!(read(&path), "1\n");
    assert_eq!(log.append(&json!(2)).expect_err("it is closed").kind(), ErrorKind::Closed);
    let log = open(&path);
    log.try_append(&json!(3)).expect("there is room");
    drop(log);
    let deadline = SystemTime::now() + Duration::from_secs(10);
    while read(&path) != "1\n3\n" {
        assert!(SystemTime::now() < deadline, "it is never written");
        thread::yield_now();
    }
}

#[test]
fn what_is_not_a_file_and_a_missing_folder_are_errors() {
    let dir = temp_dir();
    for (path, kind) in [
        (dir.path().to_owned(), ErrorKind::NotAFile),
        (dir.path().join("no/a.jsonl"), ErrorKind::NotFound),
        ("/dev/null".into(), ErrorKind::NotAFile),
    ] {
        let error = Jsonl::<u32>::at(&path).open().expect_err("no file");
        assert_eq!(error.kind(), kind, "{path:?}");
    }
}

/// The disk is full, as far as a process can tell that may not write larger files than 4 KiB.
#[test]
fn full_disk_takes_the_record_back() {
    let dir = temp_dir();
    let path = dir.path().join("a.jsonl");
    let log: Jsonl<String> = Jsonl::at(&path).open().expect("it opens");
    log.append(&"first".to_owned()).expect("it is appended");
    let size = fs::metadata(&path).expect("it is there").size();
    // Beyond the limit comes a signal first, which only a child may ignore.
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" --exact append::limited_child"])
        .arg(std::env::current_exe().expect("a test"))
        .env("FSX_LIMITED", &path)
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    // Nothing of the large record is left.
    assert_eq!(read(&path).lines().count(), 2);
    assert_eq!(fs::metadata(&path).expect("it is there").size(), size + "\"fits\"\n".len() as u64);
}

/// What it runs; alone it does nothing.
#[test]
fn limited_child() {
    let Some(path) = std::env::var_os("FSX_LIMITED") else { return };
    let log: Jsonl<String> = Jsonl::at(path).open().expect("it opens");
    let error = log.append(&"x".repeat(20_000)).expect_err("no space");
    assert_eq!((error.kind(), error.state()), (ErrorKind::NoSpace, State::Unchanged));
    log.append(&"fits".to_owned()).expect("the writer is not poisoned");
}
