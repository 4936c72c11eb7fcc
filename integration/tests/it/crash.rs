//! Files survive: a loss of power at any moment, a kill at any moment, the failure of any system call, and files of any size.

mod disk;
mod faults;
mod kills;
pub(crate) mod mounts;
mod others;
mod power;
mod sizes;
mod users;

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher as _,
    io::{self, Write as _},
    path::Path,
    process::Command,
    time::Duration,
};

/// A process that has not ended by then was not going to.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program of this package that writes files.
fn crash(case: &str, path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crash"));
    command.arg(case).arg(path).env_remove("RUST_BACKTRACE");
    command
}

/// For the reader of the run, not kept from him by the test harness.
fn tell(text: &str) {
    let _ = writeln!(io::stdout(), "crash: {text}");
}

/// The numbers that a process has printed, each on a line that is whole.
fn promised(stdout: &str) -> Vec<u64> {
    let whole = stdout.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| line.trim_end().parse().expect("a number")).collect()
}

/// Which number a file of the program has, if it is whole.
fn number(content: &[u8]) -> Option<u64> {
    let at = content.iter().position(|byte| *byte == b'\n')?;
    let (head, body) = content.split_at(at + 1);
    let (n, length) = std::str::from_utf8(head).ok()?.trim_end().split_once(' ')?;
    let (n, length): (u64, usize) = (n.parse().ok()?, length.parse().ok()?);
    let is_whole = body.len() == length && body.iter().all(|byte| u64::from(*byte) == n % 251);
    is_whole.then_some(n)
}

/// A random moment, a different one in each run. The outcome must be the same at any.
fn random(below: u64) -> u64 {
    RandomState::new().hash_one(0) % below
}

fn pause(most: Duration) {
    let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    std::thread::sleep(Duration::from_micros(random(micros))); // sleep-ok: it is cut off at a random moment
}
