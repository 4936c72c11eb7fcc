//! Files and processes, beside what others use for them: replacing, appending and reading files, starting, reading and ending processes.
//!
//! It works in the folder it was built in, which should be on a disk: where flushing costs nothing, there is nothing to compare.
//! `cargo xtask bench system` runs all of it; run as a program, it takes the name of a part: `replace`, `append`, `read`, `processes`.

mod append;
mod processes;
mod read;
mod replace;

use std::{
    env, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

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
    let dir = dir.path();
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match *args.as_slice() {
        [] => {
            replace::run(dir)?;
            append::run(dir)?;
            let is_kept = read(dir)?;
            processes::run();
            return Ok(is_kept);
        }
        ["replace"] => replace::run(dir)?,
        ["append"] => append::run(dir)?,
        ["read"] => return read(dir),
        ["processes"] => processes::run(),
        // What the program starts itself.
        ["call", way] => read::call(dir, way)?,
        _ => {
            eprintln!("no such part; the parts are replace, append, read, processes");
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(dir: &Path) -> io::Result<ExitCode> {
    read::run(dir)?;
    Ok(if read::instructions() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
