//! Why a child gave no result.

use std::{error, fmt, io, time::Duration};

use crate::{
    capture::Size,
    cmd::Cmd,
    output::{Exit, Output},
};

/// A command that could not be run to a good end.
///
/// Its text has one line, or two: what the command was, what happened, after which time, and the last line of standard error.
/// Secrets are masked in it.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    command: String,
    detail: String,
    output: Option<Output>,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such program.
    NotFound,
    /// The folder to run in does not exist or is no folder.
    CwdMissing,
    /// The program exists and cannot be started.
    Spawn,
    /// It exited with a code that is no success.
    Exit(i32),
    /// It was killed by a signal that is not ours.
    Signal(i32),
    /// It was ended because its time was over.
    TimedOut,
    /// Processes of it are left that cannot be killed, or nobody can tell, for want of a descriptor to look with.
    Escaped,
    /// The containment that was asked for cannot be had.
    Containment,
    /// It printed more than is kept, or was not read, and all was asked for.
    Truncated,
    /// What it printed is not what was asked for.
    Malformed,
    /// Its streams or its end could not be read.
    Io,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, cmd: &Cmd, detail: impl Into<String>) -> Error {
        let command = cmd.to_string();
        Error(Box::new(Inner { kind, command, detail: detail.into(), output: None, source: None }))
    }

    #[must_use]
    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn error::Error + Send + Sync>>,
    ) -> Error {
        self.0.source = Some(source.into());
        self
    }

    #[must_use]
    pub(crate) fn with_output(mut self, output: Output) -> Error {
        self.0.output = Some(output);
        self
    }

    pub(crate) fn ended(cmd: &Cmd, output: Output) -> Error {
        let kind = match output.exit {
            Exit::Code(code) => ErrorKind::Exit(code),
            Exit::Signal(signal) => ErrorKind::Signal(signal),
        };
        let detail = format!("{} after {}", output.exit, Seconds(output.elapsed));
        Error::new(kind, cmd, detail).with_output(output)
    }

    pub(crate) fn timed_out(cmd: &Cmd, limit: Duration, output: Option<Output>) -> Error {
        let mut error =
            Error::new(ErrorKind::TimedOut, cmd, format!("timed out after {}", Seconds(limit)));
        error.0.output = output;
        error
    }

    pub(crate) fn escaped(cmd: &Cmd, left: &io::Result<Vec<u32>>, output: Output) -> Error {
        let error = match left {
            Ok(pids) => {
                let list = pids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
                let detail = format!("processes that cannot be killed are left: {list}");
                Error::new(ErrorKind::Escaped, cmd, detail)
            }
            Err(error) => {
                let detail = "nobody can tell whether processes of it are left";
                let source = io::Error::new(error.kind(), error.to_string());
                Error::new(ErrorKind::Escaped, cmd, detail).with_source(source)
            }
        };
        error.with_output(output)
    }

    pub(crate) fn truncated(cmd: &Cmd, output: Output) -> Error {
        let detail = if cmd.capture.reads {
            let printed = Size(output.stdout.total_bytes());
            format!("printed {printed}, which is more than is kept: raise the capture")
        } else {
            "its output is not read: capture it".to_owned()
        };
        Error::new(ErrorKind::Truncated, cmd, detail).with_output(output)
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What the child left, if it was started and has ended.
    pub fn output(&self) -> Option<&Output> {
        self.0.output.as_ref()
    }

    /// The program and its arguments, shortened, with secrets masked.
    pub fn command(&self) -> &str {
        &self.0.command
    }

    /// Says whether the time was over.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::TimedOut
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// A longer line is cut: it is a message, not the log.
        const LONGEST: usize = 300;
        write!(f, "{}: {}", self.0.command, self.0.detail)?;
        let said = match self.0.kind {
            ErrorKind::Exit(_) | ErrorKind::Signal(_) | ErrorKind::TimedOut => {
                self.output().and_then(|output| output.stderr.last_line())
            }
            _ => None,
        };
        match said {
            Some(line) => write!(f, ": {}", Short(&line, LONGEST)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.to_string())
            .field("output", &self.0.output)
            .field("source", &self.0.source)
            .finish()
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match error.kind() {
            ErrorKind::NotFound | ErrorKind::CwdMissing => io::ErrorKind::NotFound,
            ErrorKind::TimedOut => io::ErrorKind::TimedOut,
            ErrorKind::Malformed => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

/// A time of which nobody needs more than three digits.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis < 1000 {
            write!(f, "{millis} ms")
        } else if millis % 1000 < 50 || millis >= 100_000 {
            write!(f, "{} s", millis / 1000)
        } else {
            write!(f, "{:.1} s", self.0.as_secs_f64())
        }
    }
}

/// A text that is cut, at a character, when it is longer than so many bytes.
pub(crate) struct Short<'a>(pub(crate) &'a str, pub(crate) usize);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Short(text, limit) = *self;
        if text.len() <= limit {
            return f.write_str(text);
        }
        let end = (0..=limit).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        write!(f, "{}…", &text[..end])
    }
}
