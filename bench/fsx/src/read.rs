//! Records are read as a type, with all of its checks.

use std::{
    fs::File,
    hint::black_box,
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    ops::ControlFlow,
    path::Path,
    time::Duration,
};

use measure::{Contender, run as measure};
use serde::Deserialize;
use underpin_fsx::blocking::{for_each_line, read_jsonl};

use crate::Event;

const LINES: u64 = 100_000;
const BATCHES: usize = 9;

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

pub(crate) fn run(dir: &Path) -> io::Result<()> {
    let path = dir.join("read.jsonl");
    let mut file = BufWriter::new(File::create(&path)?);
    for id in 0..LINES {
        // One in a hundred is torn.
        let line = serde_json::to_string(&Event::new(id))?;
        let line = if id % 100 == 99 { &line[..line.len() / 2] } else { &line };
        writeln!(file, "{line}")?;
    }
    let size = file.into_inner()?.metadata()?.len();
    let whole = dir.join("whole.jsonl");
    let mut file = BufWriter::new(File::create(&whole)?);
    for id in 0..LINES {
        writeln!(file, "{}", serde_json::to_string(&Event::new(id))?)?;
    }
    file.flush()?;
    let figures = measure(
        vec![
            Contender::new("fsx::for_each_line, borrowed", || {
                let stats = for_each_line(&path, |line| {
                    black_box(line.parse::<Borrowed<'_>>().is_ok());
                    ControlFlow::Continue(())
                });
                assert_eq!(stats.expect("it can be read").malformed, LINES / 100);
            }),
            Contender::new("fsx::read_jsonl, owned", || {
                read_jsonl::<Event>(&path)
                    .skip_malformed()
                    .map(|event| black_box(event).is_ok())
                    .filter(|ok| *ok)
                    .count()
            }),
            Contender::new("lines() and from_str", || {
                let lines = BufReader::new(File::open(&path).expect("it is there")).lines();
                let parse =
                    |line: io::Result<String>| serde_json::from_str::<Event>(&line.expect("UTF-8"));
                lines.map(parse).filter(|event| black_box(event).is_ok()).count()
            }),
            // It cannot go on after a line that is torn, so it gets none.
            Contender::new("StreamDeserializer, no torn lines", || {
                let file = BufReader::new(File::open(&whole).expect("it is there"));
                let events = serde_json::Deserializer::from_reader(file).into_iter::<Event>();
                events.filter(|event| black_box(event).is_ok()).count()
            }),
        ],
        BATCHES,
        Duration::from_millis(1),
    );
    println!("\n{:<36}{:>12}{:>16}", "read 100,000 lines", "MB/s", "allocations");
    for figure in figures {
        let rate = size as f64 / 1e6 / figure.time.as_secs_f64();
        println!("{:<36}{rate:>12.0}{:>16}", figure.name, figure.allocations);
    }
    Ok(())
}
