//! Runs one step: its output goes to a log, its progress to the terminal.

use std::{
    collections::VecDeque,
    env,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::ci::{report::Outcome, tally::Tally};

const TAIL: usize = 60;
/// On a terminal the progress line is drawn over; elsewhere it is a line of its own, so it comes rarely.
const REDRAW: Duration = Duration::from_millis(250);
const HEARTBEAT: Duration = Duration::from_secs(30);

/// The file that holds everything a step printed.
pub(super) struct Log {
    path: PathBuf,
    /// Relative to the root.
    shown: String,
}

impl Log {
    pub(super) fn below(root: &Path, step: &str) -> Log {
        let shown = format!("target/ci/{step}.log");
        Log { path: root.join(&shown), shown }
    }

    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// The last lines, which is where cargo says what went wrong.
    pub(super) fn tail(&self) -> String {
        let text = fs::read(&self.path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let mut lines = VecDeque::with_capacity(TAIL);
        for line in text.lines() {
            if lines.len() == TAIL {
                lines.pop_front();
            }
            lines.push_back(line);
        }
        Vec::from(lines).join("\n")
    }
}

/// Runs `command` in `root`. A step that fails is an outcome; an error is a step that could not be run at all.
pub(super) fn run(name: &str, command: &str, root: &Path, log: &Log) -> Result<Outcome> {
    let begun = Instant::now();
    fs::create_dir_all(log.path.parent().unwrap_or(root))?;
    let mut file =
        File::create(&log.path).with_context(|| format!("cannot write {}", log.shown))?;
    // One pipe for both streams keeps their lines in the order they were written.
    let (reader, writer) = io::pipe()?;
    let mut words = command.split_whitespace();
    let mut process = Command::new(words.next().unwrap_or_default());
    process
        .args(words)
        .current_dir(root)
        // A log has no colours, and rustfmt writes them to anything that calls itself a terminal.
        .env("TERM", "dumb")
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut child = process.spawn().with_context(|| format!("cannot start `{command}`"))?;
    // The builder holds our copies of the pipe's end; while they are open the reader sees no end.
    drop(process);

    let (lines, received) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if lines.send(text).is_err() {
                break;
            }
        }
    });

    let mut progress = Progress::new(name, begun);
    let mut tally = Tally::default();
    loop {
        match received.recv_timeout(progress.every) {
            Ok(line) => {
                writeln!(file, "{line}")?;
                tally.read(&line);
                progress.last = line;
            }
            // Something the step left running holds the pipe open: nobody waits for that.
            Err(RecvTimeoutError::Timeout) if child.try_wait()?.is_some() => break,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        progress.show();
    }
    progress.clear();
    let seconds = begun.elapsed().as_secs_f64();
    let success = child.wait()?.success();
    Ok(if success {
        Outcome::Passed { seconds, tally }
    } else {
        Outcome::Failed { seconds, tally }
    })
}

struct Progress<'a> {
    name: &'a str,
    begun: Instant,
    shown: Instant,
    every: Duration,
    over: bool,
    last: String,
}

impl Progress<'_> {
    fn new(name: &str, begun: Instant) -> Progress<'_> {
        let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        let over = !dumb && io::stdout().is_terminal();
        Progress {
            name,
            begun,
            shown: begun,
            every: if over { REDRAW } else { HEARTBEAT },
            over,
            last: String::new(),
        }
    }

    fn show(&mut self) {
        if self.shown.elapsed() < self.every {
            return;
        }
        self.shown = Instant::now();
        // 79 columns fit every terminal; a longer line would wrap and could not be drawn over.
        let line = format!(
            "{:<12} {:>5} s  {}",
            self.name,
            self.begun.elapsed().as_secs(),
            self.last.trim()
        );
        let line: String = line.chars().filter(|c| !c.is_control()).take(79).collect();
        if self.over {
            print!("\r\x1b[2K{line}");
            let _ = io::stdout().flush();
        } else {
            println!("{line}");
        }
    }

    fn clear(&self) {
        if self.over {
            print!("\r\x1b[2K");
            let _ = io::stdout().flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Log, Outcome, run};

    #[test]
    fn output_is_logged_and_the_exit_code_decides() {
        let root = testkit::workspace_root();
        let log = Log::below(root, "test-of-ci");
        let outcome = run("x", "cargo --version", root, &log).expect("it starts");
        assert!(matches!(outcome, Outcome::Passed { .. }), "{outcome:?}");
        assert!(log.tail().starts_with("cargo 1."), "{}", log.tail());

        let outcome = run("x", "cargo no-such-command", root, &log).expect("it starts");
        assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
        assert!(log.tail().contains("no-such-command"), "{}", log.tail());
    }
}
