//! Writes files until something stops it, and says what it has been promised: the area `crash` cuts its power, kills it, and fails its system calls.
//!
//! `crash LOOP PATH FIRST` does one thing after the other, numbered from FIRST on, and prints each number once it is said to be safe.
//! `crash once-OPERATION PATH` says `ready`, waits for a line, does one thing, and tells by its exit code what became of it.
//! `crash read PATH` reads a file and prints by how many KiB its memory has grown.

use std::{
    env, fs,
    io::{self, Read as _, Write as _},
    path::Path,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use underpin_fsx::{
    Error, ErrorKind, Flush, State,
    blocking::{AtomicFile, Jsonl, read_jsonl, update_json, write},
};

/// How many append at the same time.
const PRODUCERS: usize = 4;

/// In the file that is read.
const RECORDS: u64 = 1_000;

/// Of the document that is updated.
const MAX: u64 = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    n: u64,
    text: String,
}

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let (case, path) = (args[0].as_str(), Path::new(&args[1]));
    if let Some(operation) = case.strip_prefix("once-") {
        return once(operation, path);
    }
    if case == "read" {
        read(path);
        return ExitCode::SUCCESS;
    }
    let first = args[2].parse().expect("a number");
    // It goes on till it fails; the power has gone.
    match endless(case, path, first) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn endless(case: &str, path: &Path, first: u64) -> Outcome {
    if case == "append" {
        return append(path, first);
    }
    for n in first.. {
        match case {
            "atomic" => drop(write(path, content(n))?),
            "update" => update_json(path, MAX, |count: &mut u64| *count = n)?,
            // How others do it, as their documentation says.
            "plain-write" => fs::write(path, content(n))?,
            "rename" => rename(path, n, false)?,
            "flush-and-rename" => rename(path, n, true)?,
            "tempfile" => persist(path, n, false)?,
            "flush-and-tempfile" => persist(path, n, true)?,
            "atomic-write-file" => atomic_write_file(path, n)?,
            _ => panic!("no case {case}"),
        }
        promise(n)?;
    }
    Ok(())
}

fn append(path: &Path, first: u64) -> Outcome {
    let log: Jsonl<Record> = Jsonl::at(path).open()?;
    let next = AtomicU64::new(first);
    thread::scope(|scope| {
        let produce = || -> Outcome {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                log.append(&record(n))?;
                promise(n)?;
            }
        };
        let threads: Vec<_> = (0..PRODUCERS).map(|_| scope.spawn(produce)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })
}

/// Replaces a file as it is often done: the folder is not flushed, and the file only if somebody thought of it.
fn rename(path: &Path, n: u64, flushes: bool) -> io::Result<()> {
    let temp = path.with_extension("tmp");
    let mut file = fs::File::create(&temp)?;
    file.write_all(&content(n))?;
    if flushes {
        file.sync_all()?;
    }
    fs::rename(temp, path)
}

/// tempfile leaves the flush to its caller.
fn persist(path: &Path, n: u64, flushes: bool) -> io::Result<()> {
    let dir = path.parent().expect("it is in a folder");
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(&content(n))?;
    if flushes {
        file.as_file().sync_all()?;
    }
    file.persist(path)?;
    Ok(())
}

/// atomic-write-file flushes both, the file and the folder.
fn atomic_write_file(path: &Path, n: u64) -> io::Result<()> {
    let mut file = atomic_write_file::AtomicWriteFile::open(path)?;
    file.write_all(&content(n))?;
    file.commit()
}

/// One write, so that a line is whole or not there.
fn promise(n: u64) -> io::Result<()> {
    io::stdout().lock().write_all(format!("{n}\n").as_bytes())
}

/// Says itself what it should be: its number, its length, and so many bytes that depend on the number.
fn content(n: u64) -> Vec<u8> {
    let length = usize::try_from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 40_000).unwrap_or(0);
    let mut content = format!("{n} {length}\n").into_bytes();
    content.resize(content.len() + length, u8::try_from(n % 251).unwrap_or(0));
    content
}

fn record(n: u64) -> Record {
    let length = usize::try_from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 400).unwrap_or(0);
    Record { n, text: "x".repeat(length) }
}

/// 0: done; 10: failed, and nothing has changed; 11: done, but perhaps not for good; 12: a writer goes on after that;
/// 13: a file was shorter than it is; 14: done, and said not to be durable.
fn once(operation: &str, path: &Path) -> ExitCode {
    let log = (operation == "append").then(|| Jsonl::<Record>::at(path).open().expect("it opens"));
    // Whoever interferes comes now, and is there when the line comes.
    let _ = writeln!(io::stdout(), "ready");
    let _ = io::stdin().read(&mut [0; 1]);
    let result: Result<(), Error> = match (operation, log) {
        ("write", _) => match write(path, content(2)) {
            Ok(written) if !written.durable => return ExitCode::from(14),
            written => written.map(drop),
        },
        ("create", _) => AtomicFile::at(path).create_new().write(content(2)).map(drop),
        ("update", _) => update_json(path, MAX, |count: &mut u64| *count = 2),
        ("append", Some(log)) => {
            let appended = log.append(&record(2));
            let is_poisoned =
                appended.as_ref().is_err_and(|error| error.state() == State::NotDurable);
            if is_poisoned
                && !log.append(&record(3)).is_err_and(|error| error.kind() == ErrorKind::Poisoned)
            {
                return ExitCode::from(12);
            }
            appended
        }
        ("read", _) => match read_jsonl::<Record>(path)
            .try_fold(0, |count, record| record.map(|_| count + 1))
        {
            Ok(count) if count != RECORDS => return ExitCode::from(13),
            read => read.map(drop),
        },
        ("rotate", _) => match rotate(path) {
            None => return ExitCode::from(12),
            Some(rotated) => rotated,
        },
        ("open-append", _) => {
            Jsonl::<Record>::at(path).open().and_then(|log| log.append(&record(2)))
        }
        _ => panic!("no operation {operation}"),
    };
    ExitCode::from(match result.map_err(|error| error.state()) {
        Ok(()) => 0,
        Err(State::Unchanged) => 10,
        Err(State::NotDurable) => 11,
    })
}

/// The first record is not flushed when it is acknowledged, but before its file is left for the next one. None: a writer goes on after that has failed.
fn rotate(path: &Path) -> Option<Result<(), Error>> {
    let flush = Flush::Every(Duration::from_secs(3600));
    let opened = Jsonl::<Record>::at(path).flush(flush).rotate(200, 1).open();
    let log = match opened {
        Ok(log) => log,
        Err(error) => return Some(Err(error)),
    };
    let rotated = log.append(&record(1)).and_then(|()| log.append(&record(2)));
    let has_lost =
        |error: &Error| error.kind() == ErrorKind::Poisoned || error.state() == State::NotDurable;
    let goes_on = rotated.as_ref().is_err_and(has_lost) && log.append(&record(3)).is_ok();
    (!goes_on).then_some(rotated)
}

fn read(path: &Path) {
    // What the program itself needs.
    let before = peak();
    let mut reader = read_jsonl::<Record>(path).skip_malformed();
    let counted = reader.by_ref().try_fold(0, |count, record| record.map(|_| count + 1));
    let records: u64 = counted.expect("it can be read");
    let lines = reader.stats().lines;
    let _ = writeln!(io::stdout(), "{lines} {records} {} {}", peak() - before, peak());
}

/// The most memory it has had so far, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("there is one");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is said");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
