//! Replacing, appending and reading beside atomic-write-file, tempfile, a flush for each record, and serde_json's ways to read lines.
//!
//! It works in the folder it was built in, which should be on a disk: where flushing costs nothing, there is nothing to compare.
//! `cargo xtask bench fsx` runs all of it; run as a program, it takes the name of a part: `read`.

mod append;
mod read;
mod replace;

use std::{env, io, path::PathBuf, process::ExitCode};

use measure::Counting;
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a line of a log usually is: 200 bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Event {
    id: u64,
    timestamp: String,
    user: String,
    action: String,
    amount: f64,
    ok: bool,
    note: String,
}

impl Event {
    fn new(id: u64) -> Event {
        Event {
            id,
            timestamp: "2026-11-25T12:00:00.000Z".to_owned(),
            user: format!("user-{:06}", id % 100_000),
            action: "order.accepted".to_owned(),
            amount: 12.5,
            ok: true,
            note: "something that somebody has written about it".to_owned(),
        }
    }
}

fn main() -> io::Result<ExitCode> {
    let exe = env::current_exe()?;
    let parent = exe.parent().map_or_else(|| PathBuf::from("."), PathBuf::from);
    let dir = tempfile::tempdir_in(parent)?;
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let is_kept = match *args.as_slice() {
        [] => {
            replace::run(dir.path())?;
            append::run(dir.path())?;
            read::run(dir.path())?;
            read::instructions()
        }
        ["read"] => {
            read::run(dir.path())?;
            read::instructions()
        }
        // What the program starts itself.
        ["call", way] => {
            read::call(dir.path(), way)?;
            true
        }
        _ => {
            eprintln!("no such part; the part is read");
            return Ok(ExitCode::from(2));
        }
    };
    Ok(if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
