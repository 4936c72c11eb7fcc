//! Cargo as a step: its progress shown as it comes, its words kept for whoever must read the failure.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use xshell::Cmd;

/// The beginnings of cargo's lines that are worth one line of ours.
const SHOWN: [&str; 4] = ["Verifying", "Uploaded", "Published", "Waiting"];

/// What a command said on stderr, and whether it succeeded.
#[derive(Debug)]
pub(crate) struct Transcript {
    command: String,
    pub(crate) success: bool,
    pub(crate) stderr: String,
}

impl Transcript {
    /// Runs `command` to its end.
    pub(crate) fn of(command: Cmd<'_>) -> Result<Transcript> {
        let name = command.to_string();
        let start = Instant::now();
        let mut child = Command::from(command)
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_TERM_PROGRESS_WHEN", "never")
            .env("CARGO_TERM_QUIET", "false")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{name}`"))?;
        let mut stderr = String::new();
        for line in BufReader::new(child.stderr.take().context("stderr is piped")?).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            if SHOWN.iter().any(|verb| line.trim_start().starts_with(verb)) {
                let headline = line.split(" (").next().unwrap_or_default();
                println!("{headline} ({:.1} s)", start.elapsed().as_secs_f64());
            }
            stderr += &line;
            stderr.push('\n');
        }
        Ok(Transcript { command: name, success: child.wait()?.success(), stderr })
    }

    /// An error that quotes everything, unless the command succeeded.
    pub(crate) fn ok(self) -> Result<()> {
        if !self.success {
            bail!("`{}` failed:\n{}", self.command, self.stderr.trim_end());
        }
        Ok(())
    }
}
