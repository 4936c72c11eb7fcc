//! The service under test, as its supervisor starts it.

use std::{
    ffi::OsString,
    net::TcpListener,
    os::fd::OwnedFd,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use crate::Child;

/// How long one process may live, so that a harness that is stuck ends: some seconds are usual, the budget comes on top.
const LIFETIME: Duration = Duration::from_secs(120);
/// How long it may take until it listens.
const START: Duration = Duration::from_secs(30);

/// How to start a service that has the routes of `orders`.
#[derive(Debug, Clone)]
pub struct Service {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    dir: PathBuf,
    listens: String,
    budget: Duration,
}

/// How a process ended.
#[derive(Debug, Clone)]
pub(crate) struct Exit {
    pub(crate) took: Duration,
    /// What was wrong with it.
    pub(crate) complaint: Option<String>,
}

impl Service {
    /// A program that runs in `dir` and prints a line with `listens` in it once it accepts connections.
    pub fn new(
        program: impl Into<PathBuf>,
        dir: impl Into<PathBuf>,
        listens: impl Into<String>,
    ) -> Service {
        Service {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            dir: dir.into(),
            listens: listens.into(),
            budget: Duration::from_secs(25),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Service {
        self.args.push(arg.into());
        self
    }

    /// Sets a variable; the service gets no others.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Service {
        self.env.push((name.into(), value.into()));
        self
    }

    /// How long after the signal it must be gone: 25 s if nothing is said.
    #[must_use]
    pub fn exits_within(mut self, budget: Duration) -> Service {
        self.budget = budget;
        self
    }

    /// Starts it on a socket that somebody else listens on, handed over as systemd does, and waits until it listens.
    pub(crate) fn inherit(&self, listener: &TcpListener) -> Child {
        // The shell is what puts the socket on descriptor 3 and knows the process id: nothing that runs between fork and exec can
        // be written here without `unsafe`.
        const HAND_OVER: &str =
            r#"exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@""#;
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(HAND_OVER).arg(&self.program);
        let socket = listener.try_clone().expect("a socket can be duplicated");
        let child = Child::spawn_with_stdin(self.prepare(command), OwnedFd::from(socket), LIFETIME);
        child.wait_for_line_within(&self.listens, START);
        child
    }

    /// Starts it on a port of its own, and waits until it listens.
    pub(crate) fn own(&self, port: u16) -> Child {
        let mut command = self.prepare(Command::new(&self.program));
        command.env("PORT", port.to_string());
        let child = Child::spawn(command, LIFETIME);
        child.wait_for_line_within(&self.listens, START);
        child
    }

    /// Waits for the end of a process that was sent SIGTERM at `since`.
    pub(crate) fn end(&self, child: Child, since: Instant) -> Exit {
        let output = child.finish();
        let took = since.elapsed();
        let complaint = match output.status.code() {
            Some(0) if took <= self.budget => None,
            Some(0) => Some(format!("it took {took:?}, longer than {:?}", self.budget)),
            _ => Some(format!("{}, and it said:\n{}", output.status, output.stderr.trim_end())),
        };
        Exit { took, complaint }
    }

    fn prepare(&self, mut command: Command) -> Command {
        let env = self.env.iter().map(|(name, value)| (name, value));
        command.args(&self.args).env_clear().envs(env).current_dir(&self.dir);
        command
    }
}
