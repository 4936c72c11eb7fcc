//! Each system call of an operation fails once, in each way: the old content or the new one is there, whole, and nothing else.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Stdio},
};

use testkit::{Skip, Tool, full_or, or_skip};

use super::{crash, number, tell};

const ERRORS: [&str; 6] = ["ENOSPC", "EIO", "EINTR", "EDQUOT", "EACCES", "EROFS"];

/// What touches files. Not `unlink`: if that fails, what should go stays by necessity, and is swept up later.
const CALLS: &str = "openat,readlinkat,newfstatat,fstat,statx,flistxattr,fgetxattr,fsetxattr,fremovexattr,fchown,fchmod,flock,read,pread64,write,lseek,ftruncate,fsync,fdatasync,renameat,renameat2,linkat";

/// The outcomes of the program.
const DONE: i32 = 0;
const UNCHANGED: i32 = 10;
const NOT_DURABLE: i32 = 11;
const SAID_NOT_TO_BE_DURABLE: i32 = 14;

/// Runs an operation with strace looking on from its beginning, and returns its exit code and what strace wrote.
fn trace(strace: &Tool, operation: &str, path: &Path, fault: Option<&str>) -> (i32, String) {
    let mut command = crash(&format!("once-{operation}"), path);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut program = Ends(command.spawn().expect("it starts"));
    let mut lines = BufReader::new(program.0.stdout.take().expect("it is piped")).lines();
    assert_eq!(lines.next().expect("a line").expect("it can be read"), "ready");
    let mut command = strace.command();
    let log = path.with_extension("strace");
    command.args(["-f", "-e", &format!("trace={CALLS}")]).arg("-o").arg(&log);
    if let Some(fault) = fault {
        command.args(["-e", &format!("inject={fault}")]);
    }
    command.args(["-p", &program.0.id().to_string()]).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut observer = Ends(command.spawn().expect("strace starts"));
    let stderr = observer.0.stderr.take().expect("it is piped");
    let mut lines = BufReader::new(stderr).lines();
    let attached = lines.find_map(|line| line.ok().filter(|line| line.contains("attached")));
    assert!(attached.is_some(), "strace does not attach");
    program.0.stdin.take().expect("it is piped").write_all(b"\n").expect("it waits for it");
    let code = program.0.wait().expect("it ends").code().unwrap_or(-1);
    observer.0.wait().expect("it ends with it");
    let trace = fs::read_to_string(&log).expect("it is written");
    fs::remove_file(log).expect("it is there");
    (code, trace)
}

/// Whatever happens to the test, the process ends.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How often each call is made, by the thread that makes it most often: strace counts in each of them.
fn calls(trace: &str) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let Some((name, _)) = call.trim_start().split_once('(') else { continue };
        if CALLS.split(',').any(|known| known == name) {
            *counts.entry((name.to_owned(), thread.to_owned())).or_insert(0) += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((name, _), count) in counts {
        let entry = most.entry(name).or_insert(0);
        *entry = count.max(*entry);
    }
    most
}

/// Fails each call of an operation once, in each way or in one of them.
fn fail_each(
    operation: &str,
    prepare: impl Fn(&Path),
    look: impl Fn(&Path, i32),
) -> Result<(), Skip> {
    let strace = testkit::program("strace")?;
    let dir = tempfile::tempdir().expect("a temp folder");
    let path = dir.path().join("file");
    prepare(&path);
    let (code, log) = trace(&strace, operation, &path, None);
    assert_eq!(code, DONE, "{log}");
    let calls = calls(&log);
    assert!(!calls.is_empty(), "strace sees nothing: {log}");
    let mut codes: BTreeMap<i32, u32> = BTreeMap::new();
    let (mut turn, mut cases) = (0, 0);
    for (call, count) in &calls {
        for when in 1..=*count {
            turn += 1;
            let one = [ERRORS[turn % ERRORS.len()]];
            for error in full_or(&ERRORS[..], &one[..]) {
                prepare(&path);
                let fault = format!("{call}:error={error}:when={when}");
                let (code, log) = trace(&strace, operation, &path, Some(&fault));
                assert!([DONE, UNCHANGED, NOT_DURABLE].contains(&code), "{fault}: {code}\n{log}");
                look(&path, code);
                let names = fs::read_dir(dir.path()).expect("a folder");
                let names: Vec<_> =
                    names.map(|entry| entry.expect("an entry").file_name()).collect();
                assert!(
                    !names.iter().any(|name| name.to_string_lossy().ends_with('~')),
                    "{fault}: {names:?}\n{log}"
                );
                *codes.entry(code).or_insert(0) += 1;
                cases += 1;
            }
        }
    }
    assert!(codes.get(&UNCHANGED).is_some_and(|count| *count > 0), "nothing has failed: {codes:?}");
    tell(&format!(
        "{operation}: {cases} failures of {} calls: {codes:?}",
        calls.values().sum::<u32>()
    ));
    Ok(())
}

fn look_at_number(path: &Path, code: i32) {
    let there = fs::read(path).ok().map(|content| number(&content).expect("it is whole"));
    let expected = if code == UNCHANGED { 1 } else { 2 };
    assert_eq!(there.unwrap_or(1), expected, "exit code {code}");
}

fn old(path: &Path) {
    fs::write(path, "1 3\n\u{1}\u{1}\u{1}").expect("it is written");
}

#[test]
fn write_is_done_or_undone_whatever_fails() {
    or_skip!(fail_each("write", old, look_at_number));
}

#[test]
fn creation_is_done_or_undone_whatever_fails() {
    let none = |path: &Path| drop(fs::remove_file(path));
    or_skip!(fail_each("create", none, look_at_number));
}

#[test]
fn update_is_done_or_undone_whatever_fails() {
    let old = |path: &Path| fs::write(path, "1\n").expect("it is written");
    or_skip!(fail_each("update", old, |path, code| {
        let there = fs::read_to_string(path).expect("it is there");
        assert_eq!(there, if code == UNCHANGED { "1\n" } else { "2\n" }, "exit code {code}");
    }));
}

/// The records of a log, all of whose lines have to be whole.
fn look_at_log(path: &Path, code: i32) {
    let text = fs::read_to_string(path).expect("it is there");
    let lines: Vec<serde_json::Value> = text
        .split_inclusive('\n')
        .map(|line| line.strip_suffix('\n').expect("it is ended"))
        .map(|line| serde_json::from_str(line).expect("it is whole"))
        .collect();
    let numbers: Vec<_> = lines.iter().map(|line| line["n"].as_u64().expect("a number")).collect();
    let expected: &[u64] = if code == UNCHANGED { &[1] } else { &[1, 2] };
    assert_eq!(numbers, expected, "exit code {code}");
}

fn log(path: &Path) {
    fs::write(path, "{\"n\":1}\n").expect("it is written");
}

#[test]
fn append_is_done_or_undone_whatever_fails() {
    or_skip!(fail_each("append", log, look_at_log));
}

#[test]
fn opening_a_log_is_done_or_undone_whatever_fails() {
    or_skip!(fail_each("open-append", log, look_at_log));
}

/// A file that is left for the next one is flushed first, if that was asked for, and a flush that fails is not tried again.
#[test]
fn rotation_is_done_or_undone_whatever_fails() {
    let rotated = |path: &Path| path.with_extension("1");
    let none = |path: &Path| {
        let _ = fs::remove_file(path);
        let _ = fs::remove_file(rotated(path));
    };
    let records = |path: &Path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let whole = text.split_inclusive('\n').map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).expect("it is whole");
            assert!(line.ends_with('\n'), "it is ended");
            record["n"].as_u64().expect("a number")
        });
        whole.collect::<Vec<u64>>()
    };
    or_skip!(fail_each("rotate", none, |path, code| {
        let there = [records(&rotated(path)), records(path)].concat();
        match code {
            DONE => assert_eq!(there, [1, 2]),
            _ => assert!(!there.contains(&2), "{there:?}"),
        }
    }));
}

/// Not every file system can rename without replacing.
#[test]
fn creation_is_one_where_a_rename_cannot_be_kept_from_replacing() {
    let strace = or_skip!(testkit::program("strace"));
    let dir = tempfile::tempdir().expect("a temp folder");
    let path = dir.path().join("file");
    let (code, log) = trace(&strace, "create", &path, Some("renameat2:error=EINVAL"));
    assert_eq!(code, DONE, "{log}");
    assert!(log.contains("linkat("), "{log}");
    look_at_number(&path, DONE);
    assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 1);
}

/// CIFS and some others flush files and no folders. That is no error, but it is said.
#[test]
fn folder_that_cannot_be_flushed_is_said() {
    let strace = or_skip!(testkit::program("strace"));
    let dir = tempfile::tempdir().expect("a temp folder");
    let path = dir.path().join("file");
    for error in ["EINVAL", "EOPNOTSUPP"] {
        old(&path);
        let fault = format!("fsync:error={error}:when=2");
        let (code, log) = trace(&strace, "write", &path, Some(&fault));
        assert_eq!(code, SAID_NOT_TO_BE_DURABLE, "{log}");
        look_at_number(&path, DONE);
    }
    log(&path);
    let (code, log) = trace(&strace, "open-append", &path, Some("fsync:error=EINVAL:when=1"));
    assert_eq!(code, DONE, "{log}");
    look_at_log(&path, DONE);
}

/// A file that cannot be read to its end is no shorter file.
#[test]
fn reading_ends_with_an_error_whatever_fails() {
    let long = |path: &Path| {
        let line = format!("{{\"n\":1,\"text\":\"{}\"}}\n", "x".repeat(300));
        fs::write(path, line.repeat(1_000)).expect("it is written");
    };
    or_skip!(fail_each("read", long, |_, _| {}));
}
