//! What can go wrong, with the path, and with what it did to the file.

use std::{
    error, fmt,
    io::{self, ErrorKind as Io},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::io::Errno;

/// The result of this crate's operations.
pub type Result<T> = std::result::Result<T, Error>;

/// An operation that failed: on which file, why, and what it left there.
///
/// It prints the file and the remedy; the cause is its [`source`](error::Error::source).
/// It becomes an [`io::Error`] of the fitting kind with `?`.
#[derive(Clone)]
pub struct Error(Box<Inner>);

/// Why it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such file, or its folder is missing.
    NotFound,
    /// There is a file already, and [`create_new`](crate::blocking::AtomicFile::create_new) was asked for.
    AlreadyExists,
    /// The operating system does not allow it to this user.
    PermissionDenied,
    /// The file system is mounted read-only.
    ReadOnlyFileSystem,
    /// The file's owner has no write permission, which says that it is not meant to be replaced.
    ReadOnlyFile,
    /// It is a folder, a device, a pipe or a socket.
    NotAFile,
    /// It is a symbolic link and those were refused, or there are more than 40 of them in a row.
    Symlink,
    /// It has several names (hard links), and those were refused.
    HardLinked,
    /// The file is a mount point of its own, and so cannot be replaced.
    MountPoint,
    /// The old file's owner, permissions or attributes could not be kept, and that was required.
    NotKept,
    /// The disk or the quota is full.
    NoSpace,
    /// It is larger than the limit.
    TooLarge,
    /// It is not JSON of the type, or a value cannot be written as JSON.
    Json,
    /// A line is not UTF-8.
    InvalidUtf8,
    /// The lock was not to be had in time.
    LockTimeout,
    /// The file ends in the middle of a record, and repairing it was not allowed.
    Torn,
    /// The queue of records is full.
    QueueFull,
    /// An earlier flush failed, so that nobody can know what is on the disk: open the file again.
    Poisoned,
    /// The writer has been closed.
    Closed,
    /// It is not the text of a token that says where to go on.
    InvalidToken,
    /// Anything else of the operating system: see the source.
    Io,
}

/// What a failed operation left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing of it is in the file, which is as it was.
    Unchanged,
    /// All of it is in the file, and other processes see it; but flushing it failed, and it may not survive a loss of power.
    NotDurable,
}

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    /// "cannot {what} {path}".
    what: &'static str,
    path: PathBuf,
    state: State,
    line: Option<(u64, u64)>,
    /// Shared, because one failed flush is the failure of all who waited for it.
    source: Option<Arc<dyn error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, what: &'static str, path: &Path) -> Error {
        Error(Box::new(Inner {
            kind,
            what,
            path: path.to_owned(),
            state: State::Unchanged,
            line: None,
            source: None,
        }))
    }

    pub(crate) fn io(what: &'static str, path: &Path, source: impl Into<io::Error>) -> Error {
        let source = source.into();
        Error::new(kind_of(&source), what, path).with_source(source)
    }

    pub(crate) fn json(what: &'static str, path: &Path, source: serde_json::Error) -> Error {
        Error::new(ErrorKind::Json, what, path).with_source(source)
    }

    pub(crate) fn with_source(
        mut self,
        source: impl error::Error + Send + Sync + 'static,
    ) -> Error {
        self.0.source = Some(Arc::new(source));
        self
    }

    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Error {
        self.0.kind = kind;
        self
    }

    pub(crate) fn not_durable(mut self) -> Error {
        self.0.state = State::NotDurable;
        self
    }

    pub(crate) fn at_line(mut self, number: u64, offset: u64) -> Error {
        self.0.line = Some((number, offset));
        self
    }

    /// Why it failed.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// What was left behind.
    pub fn state(&self) -> State {
        self.0.state
    }

    /// The line that is wrong, counted from 1, where the error is about a line.
    pub fn line(&self) -> Option<u64> {
        self.0.line.map(|(number, _)| number)
    }

    /// The byte at which that line begins.
    pub fn offset(&self) -> Option<u64> {
        self.0.line.map(|(_, offset)| offset)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, what, path, state, line, .. } = &*self.0;
        write!(f, "cannot {what} {}", path.display())?;
        if let Some((number, offset)) = line {
            write!(f, ", line {number} at byte {offset}")?;
        }
        if let Some(remedy) = remedy(*kind) {
            write!(f, ": {remedy}")?;
        }
        if *state == State::NotDurable {
            f.write_str("; it is in the file, but may not survive a loss of power")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, what, path, state, line, source } = &*self.0;
        let mut s = f.debug_struct("Error");
        s.field("kind", kind).field("what", what).field("path", path).field("state", state);
        if let Some(line) = line {
            s.field("line", line);
        }
        s.field("source", source).finish()
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
            ErrorKind::NotFound => Io::NotFound,
            ErrorKind::AlreadyExists => Io::AlreadyExists,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFile => Io::PermissionDenied,
            ErrorKind::ReadOnlyFileSystem => Io::ReadOnlyFilesystem,
            ErrorKind::NoSpace => Io::StorageFull,
            ErrorKind::TooLarge => Io::FileTooLarge,
            ErrorKind::Json | ErrorKind::InvalidUtf8 | ErrorKind::Torn => Io::InvalidData,
            ErrorKind::LockTimeout => Io::TimedOut,
            ErrorKind::QueueFull => Io::WouldBlock,
            _ => Io::Other,
        };
        io::Error::new(kind, error)
    }
}

fn remedy(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::NotFound => "there is no such file or folder",
        ErrorKind::AlreadyExists => "there is a file already",
        ErrorKind::PermissionDenied => {
            "permission denied; check the owner and the mode of the file and of its folder"
        }
        ErrorKind::ReadOnlyFileSystem => "the file system is mounted read-only",
        ErrorKind::ReadOnlyFile => {
            "its owner may not write to it; give it write permission, or replace it explicitly"
        }
        ErrorKind::NotAFile => "it is not a regular file",
        ErrorKind::Symlink => {
            "it is a symbolic link, or leads through too many; name the file itself"
        }
        ErrorKind::HardLinked => "it has several names, and the others would keep the old content",
        ErrorKind::MountPoint => "it is a mount point of its own; mount its folder instead",
        ErrorKind::NotKept => {
            "its owner, permissions or attributes cannot be kept; run as its owner"
        }
        ErrorKind::NoSpace => "no space is left; free some, or raise the quota",
        ErrorKind::TooLarge => "it is larger than the limit",
        ErrorKind::Json => "it is not JSON of the expected form",
        ErrorKind::InvalidUtf8 => "it is not UTF-8",
        ErrorKind::LockTimeout => "another process holds the lock",
        ErrorKind::Torn => "it ends in the middle of a record; repair it, or allow that",
        ErrorKind::QueueFull => "its queue is full; write less, or wait",
        ErrorKind::Poisoned => "flushing it has failed; open it again and look what is there",
        ErrorKind::Closed => "its writer has been closed",
        ErrorKind::InvalidToken => "it is not the text of one",
        ErrorKind::Io => return None,
    })
}

fn kind_of(error: &io::Error) -> ErrorKind {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT | Errno::NOTDIR) => ErrorKind::NotFound,
        Some(Errno::EXIST) => ErrorKind::AlreadyExists,
        Some(Errno::ACCESS | Errno::PERM) => ErrorKind::PermissionDenied,
        Some(Errno::ROFS) => ErrorKind::ReadOnlyFileSystem,
        Some(Errno::ISDIR | Errno::NXIO) => ErrorKind::NotAFile,
        Some(Errno::LOOP) => ErrorKind::Symlink,
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => ErrorKind::NoSpace,
        _ => ErrorKind::Io,
    }
}
