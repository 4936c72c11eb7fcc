//! What a child reads.

use std::{
    fmt,
    fs::File,
    io,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::io::AsyncRead;

/// The standard input of a child.
///
/// Bytes and readers are written while the output is read, so that neither waits for the other. A child that does not read them all is no error.
#[derive(Clone)]
pub struct Stdin(pub(crate) Source);

#[derive(Clone)]
pub(crate) enum Source {
    Null,
    Bytes(Arc<[u8]>),
    File(Arc<File>),
    Reader(Arc<Mutex<Option<Reader>>>),
    Piped,
}

pub(crate) type Reader = Box<dyn AsyncRead + Send + Unpin>;

impl Stdin {
    /// Nothing: the child reads its end at once.
    pub fn null() -> Stdin {
        Stdin(Source::Null)
    }

    /// An open file. Clones of the command share its position.
    pub fn file(file: File) -> Stdin {
        Stdin(Source::File(Arc::new(file)))
    }

    /// What this gives, for one run: a second run of the same command is an error.
    ///
    /// If it fails, the child is [ended](crate::Child::stop) before it can take that for the end of its input, and so is an error.
    pub fn reader(reader: impl AsyncRead + Send + Unpin + 'static) -> Stdin {
        Stdin(Source::Reader(Arc::new(Mutex::new(Some(Box::new(reader))))))
    }

    /// What is written to [`Child::stdin`](crate::Child::stdin).
    pub fn piped() -> Stdin {
        Stdin(Source::Piped)
    }
}

impl Source {
    /// What the child gets, the end of the pipe that is ours, and what to write to it.
    pub(crate) fn open(&self) -> io::Result<(OwnedFd, Option<io::PipeWriter>, Feed)> {
        let feed = match self {
            Source::Null => return Ok((File::open("/dev/null")?.into(), None, Feed::Nothing)),
            Source::File(file) => return Ok((file.try_clone()?.into(), None, Feed::Nothing)),
            Source::Bytes(bytes) => Feed::Bytes(Arc::clone(bytes), 0),
            Source::Reader(reader) => {
                let reader = reader.lock().unwrap_or_else(PoisonError::into_inner).take();
                let reader = reader.ok_or_else(|| {
                    io::Error::other("the reader of standard input has been used by another run")
                })?;
                Feed::Reader(reader, Vec::new())
            }
            Source::Piped => Feed::Nothing,
        };
        let (read, write) = io::pipe()?;
        Ok((read.into(), Some(write), feed))
    }
}

/// What is still to be written.
pub(crate) enum Feed {
    Nothing,
    /// From this position on.
    Bytes(Arc<[u8]>, usize),
    /// What was read and is not written yet.
    Reader(Reader, Vec<u8>),
    /// The reader has failed.
    Broken,
}

impl From<&[u8]> for Stdin {
    fn from(bytes: &[u8]) -> Stdin {
        Stdin(Source::Bytes(bytes.into()))
    }
}

impl From<Vec<u8>> for Stdin {
    fn from(bytes: Vec<u8>) -> Stdin {
        Stdin(Source::Bytes(bytes.into()))
    }
}

impl From<&str> for Stdin {
    fn from(text: &str) -> Stdin {
        text.as_bytes().into()
    }
}

impl From<String> for Stdin {
    fn from(text: String) -> Stdin {
        text.into_bytes().into()
    }
}

impl From<File> for Stdin {
    fn from(file: File) -> Stdin {
        Stdin::file(file)
    }
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::Null => "Stdin::null",
            Source::Bytes(_) => "Stdin::bytes",
            Source::File(_) => "Stdin::file",
            Source::Reader(_) => "Stdin::reader",
            Source::Piped => "Stdin::piped",
        })
    }
}
