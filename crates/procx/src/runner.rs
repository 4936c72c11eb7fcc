//! Who runs a command: the system, or a test.

use std::{
    ffi::OsStr,
    fmt,
    future::ready,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    capture::Captured,
    cmd::Cmd,
    error::{Error, ErrorKind},
    output::{Exit, Output},
};

/// What a [`Runner`] gives.
type Running<'a> = Pin<Box<dyn Future<Output = Result<Output, Error>> + Send + 'a>>;

/// Runs commands to a successful end, as [`Cmd::run`] does.
///
/// Code that takes a `&dyn Runner` can be tested without the programs it runs.
///
/// ```
/// use underpin_procx::{Error, Reply, Runner, Scripted, cmd};
///
/// async fn head(runner: &dyn Runner) -> Result<String, Error> {
///     let output = runner.run(cmd("git").args(["rev-parse", "HEAD"])).await?;
///     Ok(output.stdout.text().trim().to_owned())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let git = Scripted::new().on("git", ["rev-parse"], Reply::ok("8c1f2a\n"));
/// assert_eq!(head(&git).await.unwrap(), "8c1f2a");
/// # }
/// ```
pub trait Runner: Send + Sync {
    /// Runs it.
    fn run(&self, cmd: Cmd) -> Pin<Box<dyn Future<Output = Result<Output, Error>> + Send + '_>>;
}

/// Runs them for real.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Runner for System {
    fn run(&self, cmd: Cmd) -> Running<'_> {
        Box::pin(cmd.run())
    }
}

/// Runs nothing, and answers by a script.
#[derive(Debug, Default)]
pub struct Scripted {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    program: String,
    args: Vec<String>,
    reply: Reply,
}

/// How a program that does not run has ended.
#[derive(Debug, Clone)]
pub struct Reply {
    end: Option<Exit>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Reply {
    /// With 0, having printed this.
    pub fn ok(stdout: impl Into<Vec<u8>>) -> Reply {
        Reply { end: Some(Exit::Code(0)), stdout: stdout.into(), stderr: Vec::new() }
    }

    /// With this code, having printed this on standard error.
    pub fn exit(code: i32, stderr: impl Into<Vec<u8>>) -> Reply {
        Reply { end: Some(Exit::Code(code)), stdout: Vec::new(), stderr: stderr.into() }
    }

    /// By the end of its time.
    pub fn timed_out() -> Reply {
        Reply { end: None, stdout: Vec::new(), stderr: Vec::new() }
    }

    fn result(&self, cmd: &Cmd) -> Result<Output, Error> {
        let captured = |bytes: &[u8]| Captured::of(cmd.redactor.bytes(bytes.to_vec()));
        let output = Output {
            exit: self.end.unwrap_or(Exit::Signal(rustix::process::Signal::TERM.as_raw())),
            stdout: captured(&self.stdout),
            stderr: captured(&self.stderr),
            elapsed: Duration::ZERO,
            pipe_held: false,
            leftovers_killed: 0,
        };
        match self.end {
            Some(_) => cmd.check(output),
            None => Err(Error::timed_out(cmd, cmd.timeout.unwrap_or_default(), Some(output))),
        }
    }
}

impl Scripted {
    /// A script without a line: every command is [`NotFound`](ErrorKind::NotFound).
    pub fn new() -> Scripted {
        Scripted::default()
    }

    /// Answers commands of this program whose arguments begin with these. Of several that fit, the first one answers.
    #[must_use]
    pub fn on<'a>(
        mut self,
        program: &str,
        args: impl IntoIterator<Item = &'a str>,
        reply: Reply,
    ) -> Scripted {
        let args = args.into_iter().map(str::to_owned).collect();
        self.rules.push(Rule { program: program.to_owned(), args, reply });
        self
    }
}

impl Rule {
    fn fits(&self, cmd: &Cmd) -> bool {
        let args = self.args.iter().zip(&cmd.args);
        cmd.program == OsStr::new(&self.program) && self.args.len() <= cmd.args.len() && { args }
            .all(|(wanted, arg)| arg.value == OsStr::new(wanted))
    }
}

impl Runner for Scripted {
    fn run(&self, cmd: Cmd) -> Running<'_> {
        let rule = self.rules.iter().find(|rule| rule.fits(&cmd));
        Box::pin(ready(match rule {
            Some(rule) => rule.reply.result(&cmd),
            None => Err(Error::new(ErrorKind::NotFound, &cmd, "not in the script")),
        }))
    }
}

/// Lets another one run them, and keeps what was asked for.
#[derive(Default)]
pub struct Recording<R> {
    inner: R,
    commands: Mutex<Vec<String>>,
}

impl<R: Runner> Recording<R> {
    /// Nothing is recorded yet.
    pub fn new(inner: R) -> Recording<R> {
        Recording { inner, commands: Mutex::default() }
    }

    /// The commands so far, as they are shown: with spaces between their words, and secrets masked.
    pub fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<R: Runner> Runner for Recording<R> {
    fn run(&self, cmd: Cmd) -> Running<'_> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).push(cmd.to_string());
        self.inner.run(cmd)
    }
}

impl<R> fmt::Debug for Recording<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("commands", &self.commands).finish_non_exhaustive()
    }
}
