//! Behaviour, against programs that every Unix has. Where they are to misbehave, a shell says how.

mod ending;
mod errors;
#[cfg(feature = "tracing")]
mod events;
mod lines;
mod output;
mod pipeline;
mod runner;
mod starting;
mod stdin;

use std::{
    fs,
    time::{Duration, Instant},
};

use underpin_procx::{Cmd, cmd};

/// A program that misbehaves: only tests may do this.
fn script(text: &str) -> Cmd {
    cmd("sh").args(["-c", text])
}

/// The number on the first line of a file that another process writes.
async fn pid_in(path: &std::path::Path) -> u32 {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if let Some(pid) = text.strip_suffix('\n').and_then(|line| line.trim().parse().ok()) {
            return pid;
        }
        assert!(Instant::now() < deadline, "nothing is written to {}", path.display());
        tokio::time::sleep(Duration::from_millis(1)).await; // sleep-ok: bounded poll of a file
    }
}

/// Says whether a process is there and not only waiting to be reaped.
fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Says whether a process of this number is there at all.
fn is_there(pid: u32) -> bool {
    fs::exists(format!("/proc/{pid}")).unwrap_or(true)
}

async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await; // sleep-ok: bounded poll of the system
    }
}
