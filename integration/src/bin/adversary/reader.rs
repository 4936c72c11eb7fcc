//! Reads whatever a child prints, however much.

use std::{
    fs,
    io::{self, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use tokio::runtime::Builder;
use underpin_procx::{Error, Output, cmd};

/// What is kept of two streams.
const CAPS: u64 = 2 * (256 << 10);
const ALLOWED: u64 = CAPS + (2 << 20);

pub(super) fn read(bytes: &str) -> ExitCode {
    let Ok(bytes) = bytes.parse() else { return ExitCode::from(2) };
    // What any child costs is there already.
    flood(4 << 20).expect("it ends well");
    let before = peak();
    let begun = Instant::now();
    let output = flood(bytes).expect("it ends well");
    let took = begun.elapsed().as_secs_f64();
    let grown = peak() - before;
    let read = output.stdout.total_bytes() + output.stderr.total_bytes();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = read as f64 / took / 1e9;
    let _ =
        writeln!(io::stdout(), "{read} bytes at {rate:.2} GB/s, {} KiB more memory", grown >> 10);
    if read == bytes && grown <= ALLOWED { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn flood(bytes: u64) -> Result<Output, Error> {
    let half = (bytes / 2).to_string();
    let both = "head -c \"$1\" /dev/zero & head -c \"$1\" /dev/zero >&2; wait";
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let shell = cmd("sh").args(["-c", both, "sh", &half]);
    runtime.block_on(shell.timeout(Duration::from_secs(600)).run())
}

/// The most memory that this process has used so far, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kilobytes: u64 = line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
    kilobytes << 10
}
