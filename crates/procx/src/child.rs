//! A child that runs.

use std::{
    fmt,
    fs::File,
    future::poll_fn,
    io::{self, PipeReader, PipeWriter},
    os::fd::OwnedFd,
    time::Instant,
};

use rustix::process::Signal;
use tokio::{net::unix::pipe, sync::oneshot};

use crate::{
    capture::HeadTail,
    cmd::Cmd,
    containment::Containment,
    engine::{self, Ended, Failure, Handle, Job, Rules, Started},
    error::{Error, ErrorKind},
    lines::{Lines, Splitter},
    output::{Exit, Output},
    program,
    pump::{Pump, Step, Stream},
    stdin::Feed,
    trace::Trace,
    tree::Refusal,
};

/// A running child with all that descends from it: [`Cmd::spawn`].
///
/// Dropping it kills all of that at once; without a cgroup that takes a look through `/proc`, about 10 µs for each process of the machine. The reaping happens elsewhere, and needs no runtime.
pub struct Child {
    cmd: Cmd,
    handle: Handle,
    pub(crate) pump: Pump,
    pub(crate) splitter: Splitter,
    out: HeadTail,
    err: HeadTail,
    end: End,
    started: Instant,
    trace: Trace,
}

/// What is known of the end.
enum End {
    /// It will be told. The first time that it is waited for, nothing is read any more.
    Awaited {
        told: oneshot::Receiver<Ended>,
        drained: bool,
    },
    Known(Ended),
}

/// Streams that are connected with other children.
#[derive(Default)]
pub(crate) struct Wiring {
    pub(crate) stdin: Option<PipeReader>,
    pub(crate) stdout: Option<PipeWriter>,
    /// Counted from another start than this one.
    pub(crate) started: Option<Instant>,
}

impl Child {
    pub(crate) async fn spawn(cmd: Cmd, wiring: Wiring) -> Result<Child, Error> {
        let started = wiring.started.unwrap_or_else(Instant::now);
        let (streams, stdio) = Streams::open(&cmd, wiring).map_err(|error| {
            Error::new(ErrorKind::Spawn, &cmd, "its streams cannot be made").with_source(error)
        })?;
        let job = Job {
            image: program::prepare(&cmd, stdio)?,
            limits: cmd.limits,
            minimum: cmd.min_containment,
            rules: Rules {
                deadline: cmd.timeout.and_then(|timeout| started.checked_add(timeout)),
                grace: cmd.grace,
                background: cmd.background,
            },
        };
        if cmd.background && cmd.min_containment == Containment::Cgroup {
            let detail = "a cgroup leaves nothing in the background: ask for one of the two";
            return Err(Error::new(ErrorKind::Containment, &cmd, detail));
        }
        let answer = engine::start(job).map_err(|error| unstarted(&cmd, Refusal::Io(error)))?;
        let Started { handle, exited, ended } = match answer.await {
            Ok(Ok(started)) => started,
            Ok(Err(Failure::Refused(refusal))) => return Err(unstarted(&cmd, refusal)),
            Ok(Err(Failure::TimedOut)) => {
                let limit = cmd.timeout.unwrap_or_default();
                return Err(Error::timed_out(&cmd, limit, None));
            }
            Err(_) => return Err(unstarted(&cmd, Refusal::Io(gone()))),
        };
        let trace = Trace::begin(&cmd, handle.tree.id(), handle.tree.containment());
        Ok(Child {
            pump: Pump::new(streams.stdin, streams.feed, streams.outputs, exited),
            splitter: Splitter::default(),
            out: HeadTail::new(cmd.capture),
            err: HeadTail::new(cmd.capture),
            end: End::Awaited { told: ended, drained: false },
            handle,
            started,
            trace,
            cmd,
        })
    }

    /// Its process id, which is also the id of its group.
    pub fn id(&self) -> u32 {
        self.handle.tree.id()
    }

    /// What holds its processes together.
    pub fn containment(&self) -> Containment {
        self.handle.tree.containment()
    }

    /// The end to write to, once, if its standard input is [piped](crate::Stdin::piped). The child reads its end when this is dropped.
    pub fn stdin(&mut self) -> Option<pipe::Sender> {
        self.pump.take_stdin()
    }

    /// Its lines while it runs. What is read here is kept for [`wait`](Child::wait) as well.
    pub fn lines(&mut self) -> Lines<'_> {
        Lines::new(self)
    }

    /// Sends a signal, by its number, to its process group.
    ///
    /// # Errors
    ///
    /// When there is no such signal, which includes those of real time, or the child was reaped.
    pub fn signal(&self, number: i32) -> io::Result<()> {
        let signal = Signal::from_named_raw(number).ok_or(io::ErrorKind::InvalidInput)?;
        self.handle.tree.signal(signal)
    }

    /// Ends it: SIGTERM to everything it has started, SIGKILL to what is left after the [grace](Cmd::grace); and waits for that.
    ///
    /// # Errors
    ///
    /// As [`wait`](Child::wait).
    ///
    /// # Cancel safety
    ///
    /// It goes on to end; wait for it again.
    pub async fn stop(&mut self) -> Result<Output, Error> {
        self.stop_soon();
        self.wait().await
    }

    /// Reads the rest of its output and waits for its end. A standard input that nobody has taken is closed.
    ///
    /// A second call gives the same end, without the output.
    ///
    /// # Errors
    ///
    /// When its time is over, when processes of it cannot be killed, when the [reader](crate::Stdin::reader) of its input fails, or when its end cannot be known, because something else in this process waits for all children.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn wait(&mut self) -> Result<Output, Error> {
        drop(self.pump.take_stdin());
        loop {
            match poll_fn(|cx| self.pump.poll_step(cx, true)).await {
                Step::Chunk(stream, length) => self.keep(stream, length),
                Step::Broken => self.stop_soon(),
                Step::Closed => break,
            }
        }
        self.end().await;
        let out = self.out.take(&self.cmd.redactor);
        let err = self.err.take(&self.cmd.redactor);
        let End::Known(ended) = &self.end else { return Err(self.lost(gone())) };
        let is_over = ended.left.as_ref().is_ok_and(Vec::is_empty);
        let exit = match &ended.exit {
            Ok(exit) => *exit,
            Err(_) if !is_over => Exit::Code(-1),
            Err(error) => return Err(self.lost(io::Error::new(error.kind(), error.to_string()))),
        };
        let output = Output {
            exit,
            stdout: out,
            stderr: err,
            elapsed: ended.exited_at.saturating_duration_since(self.started),
            pipe_held: self.pump.held,
            leftovers_killed: ended.leftovers_killed,
        };
        if !is_over {
            return Err(Error::escaped(&self.cmd, &ended.left, output));
        }
        if ended.timed_out {
            return Err(self.too_late(Some(output)));
        }
        if let Some(error) = self.pump.broken.take() {
            let detail = "what it was to read could not be read";
            let error = Error::new(ErrorKind::Io, &self.cmd, detail).with_source(error);
            return Err(error.with_output(output));
        }
        Ok(output)
    }

    /// Asks for the end without waiting for it.
    pub(crate) fn stop_soon(&self) {
        self.handle.stop();
    }

    /// Waits for the end after the last line; an error if that was forced by time.
    pub(crate) async fn fails_by_time(&mut self) -> Result<(), Error> {
        self.end().await;
        match &self.end {
            End::Known(Ended { timed_out: true, .. }) => Err(self.too_late(None)),
            _ => Ok(()),
        }
    }

    /// Gives what was read to the lines, and keeps it.
    pub(crate) fn split(&mut self, stream: Stream, length: usize) {
        self.keep(stream, length);
        let chunk = &self.pump.buffer()[..length];
        self.splitter.push(stream, chunk, &self.cmd.redactor);
    }

    /// Ends the last lines.
    pub(crate) fn split_rest(&mut self) {
        self.splitter.push_rest(&self.cmd.redactor);
    }

    fn keep(&mut self, stream: Stream, length: usize) {
        let kept = match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        };
        kept.push(&self.pump.buffer()[..length]);
    }

    async fn end(&mut self) {
        let End::Awaited { told, drained } = &mut self.end else { return };
        if !std::mem::replace(drained, true) {
            self.handle.drained();
        }
        if let Ok(ended) = told.await {
            self.handle.over();
            self.trace.end(&ended, self.started);
            self.end = End::Known(ended);
        }
    }

    fn too_late(&self, output: Option<Output>) -> Error {
        Error::timed_out(&self.cmd, self.cmd.timeout.unwrap_or_default(), output)
    }

    fn lost(&self, error: io::Error) -> Error {
        let detail = "its end is not known: is SIGCHLD ignored, or are all children waited for?";
        Error::new(ErrorKind::Io, &self.cmd, detail).with_source(error)
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("command", &self.cmd.to_string())
            .field("id", &self.id())
            .field("containment", &self.containment())
            .finish_non_exhaustive()
    }
}

/// Our ends of the pipes.
struct Streams {
    stdin: Option<pipe::Sender>,
    feed: Feed,
    outputs: [Option<pipe::Receiver>; 2],
}

impl Streams {
    /// Makes the pipes; gives our ends of them, and those of the child.
    fn open(cmd: &Cmd, wiring: Wiring) -> io::Result<(Streams, [OwnedFd; 3])> {
        let (stdin, write, feed) = match wiring.stdin {
            Some(read) => (read.into(), None, Feed::Nothing),
            None => cmd.stdin.0.open()?,
        };
        let write = write.map(|write| pipe::Sender::from_owned_fd(OwnedFd::from(write)));
        let (stdout, out) = match wiring.stdout {
            Some(write) => (write.into(), None),
            None => output(cmd)?,
        };
        let (stderr, err) = output(cmd)?;
        let streams = Streams { stdin: write.transpose()?, feed, outputs: [out, err] };
        Ok((streams, [stdin, stdout, stderr]))
    }
}

fn output(cmd: &Cmd) -> io::Result<(OwnedFd, Option<pipe::Receiver>)> {
    if !cmd.capture.reads {
        return Ok((File::options().write(true).open("/dev/null")?.into(), None));
    }
    let (read, write) = io::pipe()?;
    Ok((write.into(), Some(pipe::Receiver::from_owned_fd(OwnedFd::from(read))?)))
}

fn unstarted(cmd: &Cmd, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Containment(found) => {
            let detail = format!(
                "the containment asked for is {}, and {found} is all that can be had here",
                cmd.min_containment
            );
            Error::new(ErrorKind::Containment, cmd, detail)
        }
        // The file itself was there when it was looked for.
        Refusal::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            let detail = "what its first line names, or its loader, does not exist";
            Error::new(ErrorKind::Spawn, cmd, detail).with_source(error)
        }
        Refusal::Io(error) => {
            Error::new(ErrorKind::Spawn, cmd, "cannot be started").with_source(error)
        }
    }
}

/// The thread that starts and ends children does not end before the process.
fn gone() -> io::Error {
    io::Error::other("the thread `procx` has ended")
}
