//! Standard output and error without std's locks.

use std::{
    fs::File,
    io::{self, Write as _},
    thread,
    time::Duration,
};

/// A duplicate of a standard stream's descriptor. Writing to it takes no lock that a panicking thread may hold.
#[derive(Debug)]
pub(super) struct Output(Option<File>);

impl Output {
    pub(super) fn stdout() -> Output {
        Output(duplicate(&io::stdout()))
    }

    pub(super) fn stderr() -> Output {
        Output(duplicate(&io::stderr()))
    }

    /// Writes all of it, however long that takes. Says whether it could.
    pub(super) fn write(&self, mut bytes: &[u8]) -> bool {
        let Some(mut file) = self.0.as_ref() else { return false };
        while !bytes.is_empty() {
            match file.write(bytes) {
                Ok(0) => return false,
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Another process that shares the pipe has made it non-blocking.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_millis(10));
                }
                Err(_) => return false,
            }
        }
        true
    }
}

#[cfg(unix)]
fn duplicate(stream: &impl std::os::fd::AsFd) -> Option<File> {
    stream.as_fd().try_clone_to_owned().ok().map(File::from)
}

#[cfg(windows)]
fn duplicate(stream: &impl std::os::windows::io::AsHandle) -> Option<File> {
    stream.as_handle().try_clone_to_owned().ok().map(File::from)
}

/// Without descriptors nothing is written; panics are still counted.
#[cfg(not(any(unix, windows)))]
fn duplicate<T>(_stream: &T) -> Option<File> {
    None
}
