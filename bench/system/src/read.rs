//! Records are read as a type, with all of its checks.

use std::{
    fs::File,
    hint::black_box,
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Duration,
};

use measure::{Contender, Limits, run as measure};
use serde::Deserialize;
use underpin_fsx::blocking::{for_each_line, read_jsonl};

use crate::Event;

const LINES: u64 = 100_000;
const BATCHES: usize = 9;

/// Lines whose instructions are counted.
const COUNTED: u64 = 20_000;

/// One line in so many is torn.
const TORN: u64 = 100;

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "what counts is that it is read")]
struct Borrowed<'a> {
    id: u64,
    timestamp: &'a str,
    user: &'a str,
    action: &'a str,
    amount: f64,
    ok: bool,
    note: &'a str,
}

/// Files of so many lines.
struct Files {
    torn: PathBuf,
    whole: PathBuf,
    lines: u64,
}

impl Files {
    fn write(dir: &Path, lines: u64) -> io::Result<Files> {
        let write = |name, torn| {
            let path = dir.join(name);
            let mut file = BufWriter::new(File::create(&path)?);
            for id in 0..lines {
                let line = serde_json::to_string(&Event::new(id))?;
                let is_torn = torn && id % TORN == TORN - 1;
                writeln!(file, "{}", if is_torn { &line[..line.len() / 2] } else { &line })?;
            }
            file.flush().map(|()| path)
        };
        Ok(Files { torn: write("torn.jsonl", true)?, whole: write("whole.jsonl", false)?, lines })
    }

    /// Records in the file that has torn lines.
    fn records(&self) -> u64 {
        self.lines - self.lines / TORN
    }
}

/// A way to read, and how many records it has found.
type Way = (&'static str, fn(&Files) -> u64);

const WAYS: [Way; 5] = [
    ("fsx::for_each_line, borrowed", |files| {
        let stats = for_each_line(&files.torn, |line| {
            black_box(line.parse::<Borrowed<'_>>().is_ok());
            ControlFlow::Continue(())
        });
        stats.expect("it can be read").ok
    }),
    ("lines() and from_str, borrowed", |files| {
        let parse = |line: io::Result<String>| {
            black_box(serde_json::from_str::<Borrowed<'_>>(&line.expect("UTF-8"))).is_ok()
        };
        BufReader::new(open(&files.torn)).lines().map(parse).filter(|ok| *ok).count() as u64
    }),
    ("fsx::read_jsonl, owned", |files| {
        let events = read_jsonl::<Event>(&files.torn).skip_malformed();
        events.filter(|event| black_box(event).is_ok()).count() as u64
    }),
    ("lines() and from_str, owned", |files| {
        let parse = |line: io::Result<String>| serde_json::from_str::<Event>(&line.expect("UTF-8"));
        let events = BufReader::new(open(&files.torn)).lines().map(parse);
        events.filter(|event| black_box(event).is_ok()).count() as u64
    }),
    // It cannot go on after a line that is torn, so it gets none.
    ("StreamDeserializer, no torn lines", |files| {
        let file = BufReader::new(open(&files.whole));
        let events = serde_json::Deserializer::from_reader(file).into_iter::<Event>();
        let count = events.filter(|event| black_box(event).is_ok()).count() as u64;
        count - files.lines / TORN
    }),
];

fn open(path: &Path) -> File {
    File::open(path).expect("it is there")
}

pub(crate) fn run(dir: &Path) -> io::Result<()> {
    let files = Files::write(dir, LINES)?;
    let size = files.torn.metadata()?.len();
    let contender = |&(name, read): &Way| {
        let files = &files;
        Contender::new(name, move || assert_eq!(read(files), files.records()))
    };
    let figures = measure(WAYS.iter().map(contender).collect(), BATCHES, Duration::from_millis(1));
    println!("\n{:<36}{:>12}{:>16}", "read 100,000 lines", "MB/s", "allocations");
    for figure in figures {
        let rate = size as f64 / 1e6 / figure.time.as_secs_f64();
        println!("{:<36}{rate:>12.0}{:>16}", figure.name, figure.allocations);
    }
    Ok(())
}

/// Prints how many instructions a line takes, or why that is not known. Whether ours are within their limits.
pub(crate) fn instructions() -> bool {
    let mut limits = Limits::new(include_str!("../instructions.txt"));
    println!("\n{:<36}{:>12}{:>12}", "read a line", "instructions", "at most");
    for (way, (name, _)) in WAYS.iter().enumerate() {
        let count = match measure::instructions(&["call", &way.to_string()], "*read*counted*") {
            Ok(count) => count / COUNTED,
            Err(why) => {
                println!("there is no count: {why}");
                limits.stop_here();
                break;
            }
        };
        let most = limits.of(name, name.starts_with("fsx::"), count);
        println!(
            "{name:<36}{count:>12}{:>12}",
            most.map(|most| most.to_string()).unwrap_or_default()
        );
    }
    limits.are_kept()
}

/// What is counted: one of the ways alone.
pub(crate) fn call(dir: &Path, way: &str) -> io::Result<()> {
    let files = Files::write(dir, COUNTED)?;
    let way: usize = way.parse().expect("a number");
    counted(&files, WAYS[way].1);
    Ok(())
}

/// Valgrind counts in here only.
#[inline(never)]
fn counted(files: &Files, read: fn(&Files) -> u64) {
    assert_eq!(read(files), files.records());
}
