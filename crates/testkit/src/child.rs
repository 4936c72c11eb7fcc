//! A process that always ends: at its own pace, at the deadline, or when the test does.

use std::{
    fmt::Write as _,
    io::{self, Read},
    os::unix::process::CommandExt as _,
    process::{self, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};

/// What is kept of each stream; the rest is read and dropped, so that a chatty child neither blocks nor fills memory.
const KEPT: usize = 4 << 20;

/// How long a stream may stay open after the whole process group is gone: only a process that left the group can hold it.
const STRAGGLERS: Duration = Duration::from_secs(2);

/// A running process in a group of its own. Dropping it kills the group.
#[derive(Debug)]
pub struct Child {
    process: process::Child,
    pid: Pid,
    name: String,
    deadline: Instant,
    shared: Arc<Shared>,
    /// Once the leader is reaped its number may be anybody's, so nothing may be sent to it.
    reaped: bool,
}

/// What a process left behind.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// When its end was noticed.
    pub ended: Instant,
    /// At most the first 4 MiB of it, invalid UTF-8 replaced.
    pub stdout: String,
    /// At most the first 4 MiB of it, invalid UTF-8 replaced.
    pub stderr: String,
}

/// Runs a command to its end.
///
/// # Panics
///
/// When it cannot be started, or is still running `within` later; the message has all it printed.
#[track_caller]
pub fn run(command: Command, within: Duration) -> Output {
    Child::spawn(command, within).finish()
}

impl Child {
    /// Starts a process that may run for `within`. Its standard input is empty.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[track_caller]
    pub fn spawn(command: Command, within: Duration) -> Child {
        Child::spawn_with_stdin(command, Stdio::null(), within)
    }

    /// Starts a process that may run for `within`, with this as its standard input.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[track_caller]
    pub fn spawn_with_stdin(
        mut command: Command,
        stdin: impl Into<Stdio>,
        within: Duration,
    ) -> Child {
        let name = command.get_program().display().to_string();
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut process =
            command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let pid = Pid::from_child(&process);
        let shared = Arc::new(Shared::default());
        if let Some(stdout) = process.stdout.take() {
            shared.collect(stdout, |state| &mut state.stdout);
        }
        if let Some(stderr) = process.stderr.take() {
            shared.collect(stderr, |state| &mut state.stderr);
        }
        shared.watch(pid);
        Child { process, pid, name, deadline: Instant::now() + within, shared, reaped: false }
    }

    /// The process id, which is also the id of its group.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits for the first whole line of either stream that contains `part`, and returns it without
    /// its end.
    ///
    /// Lines that were printed before the call count: a line cannot be missed.
    ///
    /// # Panics
    ///
    /// When the deadline passes or both streams end without such a line.
    #[track_caller]
    pub fn wait_for_line(&self, part: &str) -> String {
        self.wait_for_line_until(part, self.deadline)
    }

    /// As [`wait_for_line`](Child::wait_for_line), of a process that may run for longer than this should take.
    ///
    /// # Panics
    ///
    /// When that time or the deadline passes, or both streams end without such a line.
    #[track_caller]
    pub fn wait_for_line_within(&self, part: &str, within: Duration) -> String {
        self.wait_for_line_until(part, self.deadline.min(Instant::now() + within))
    }

    #[track_caller]
    fn wait_for_line_until(&self, part: &str, deadline: Instant) -> String {
        let found = self.shared.wait_until(deadline, |state| {
            let streams = [&state.stdout, &state.stderr];
            let line = streams.iter().find_map(|stream| line_with(&stream.bytes, part));
            match line {
                Some(line) => Some(Some(line)),
                None if streams.iter().all(|stream| stream.ended) => Some(None),
                None => None,
            }
        });
        match found {
            Some(Some(line)) => line,
            Some(None) => {
                panic!("{} ended without a line with {part:?}{}", self.name, self.printed())
            }
            None => panic!("{} printed no line with {part:?} in time{}", self.name, self.printed()),
        }
    }

    /// Asks the process to stop, with SIGTERM.
    pub fn terminate(&self) {
        let _ = kill_process(self.pid, Signal::TERM);
    }

    /// Stops the process where it is, with SIGSTOP, until [`resume`](Child::resume).
    pub fn pause(&self) {
        let _ = kill_process(self.pid, Signal::STOP);
    }

    /// Lets a paused process go on, with SIGCONT.
    pub fn resume(&self) {
        let _ = kill_process(self.pid, Signal::CONT);
    }

    /// Kills the process and everything in its group, with SIGKILL.
    pub fn kill(&self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
    }

    /// Waits for the end.
    ///
    /// # Panics
    ///
    /// When the deadline passes first; the message has all the process printed.
    #[track_caller]
    pub fn finish(mut self) -> Output {
        let ended = self.shared.wait_until(self.deadline, |state| state.exited);
        let status = self
            .kill_and_reap()
            .unwrap_or_else(|error| panic!("{} cannot be waited for: {error}", self.name));
        let both_ended =
            |state: &mut State| (state.stdout.ended && state.stderr.ended).then_some(());
        let _ = self.shared.wait_until(Instant::now() + STRAGGLERS, both_ended);
        let Some(ended) = ended else {
            panic!("{} was still running at its deadline{}", self.name, self.printed());
        };
        let state = self.shared.lock();
        Output { status, ended, stdout: state.stdout.text(), stderr: state.stderr.text() }
    }

    fn kill_and_reap(&mut self) -> io::Result<ExitStatus> {
        self.kill();
        self.reaped = true;
        self.process.wait()
    }

    fn printed(&self) -> String {
        let state = self.shared.lock();
        let mut report = String::new();
        for (name, stream) in [("stdout", &state.stdout), ("stderr", &state.stderr)] {
            let _ = write!(report, "\n--- {name} ---\n{}", stream.text());
        }
        report
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = self.kill_and_reap();
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stdout: Stream,
    stderr: Stream,
    exited: Option<Instant>,
}

#[derive(Debug, Default)]
struct Stream {
    bytes: Vec<u8>,
    ended: bool,
}

impl Stream {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Looks at the state now and after each change, until `look` finds something or the deadline passes.
    fn wait_until<T>(
        &self,
        deadline: Instant,
        mut look: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(found) = look(&mut state) {
                return Some(found);
            }
            let left =
                deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            state =
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Reads `source` to its end on a thread of its own.
    fn collect(
        self: &Arc<Shared>,
        mut source: impl Read + Send + 'static,
        stream: fn(&mut State) -> &mut Stream,
    ) {
        let shared = Arc::clone(self);
        thread::spawn(move || {
            let mut chunk = vec![0; 64 << 10];
            loop {
                match source.read(&mut chunk) {
                    Ok(0) => break,
                    Ok(n) => shared.change(|state| {
                        let bytes = &mut stream(state).bytes;
                        let room = KEPT.saturating_sub(bytes.len());
                        bytes.extend(&chunk[..n.min(room)]);
                    }),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            shared.change(|state| stream(state).ended = true);
        });
    }

    /// Notes the end of the process without reaping it: until it is reaped, its number stays its own.
    fn watch(self: &Arc<Shared>, pid: Pid) {
        let shared = Arc::clone(self);
        thread::spawn(move || {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while matches!(waitid(WaitId::Pid(pid), options), Err(rustix::io::Errno::INTR)) {}
            shared.change(|state| state.exited = Some(Instant::now()));
        });
    }
}

fn line_with(bytes: &[u8], part: &str) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines.find(|line| line.contains(part)).map(|line| line.trim_end().to_owned())
}
