//! A lock beside a file, for whoever reads it, changes it and writes it back.

use std::{
    fs::{File, TryLockError},
    io, thread,
    time::{Duration, Instant},
};

use rustix::fs::{Mode, OFlags};

use crate::{
    error::{Error, ErrorKind, Result},
    place::Place,
};

/// How long to wait for whoever holds it.
const TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Locks `{name}.lock`, which is a file of its own because the file itself is replaced. It is never removed: whoever waits for it could be left with a file
/// that has no name. Dropping the file that is returned unlocks.
pub(crate) fn lock(what: &'static str, place: &Place) -> Result<File> {
    let mut name = place.name.clone();
    name.push(".lock");
    let path = place.beside(&name);
    let fail = |error: io::Error| Error::io(what, &path, error);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW;
    let file =
        place.open(&name, flags, Mode::from_raw_mode(0o666)).map_err(|error| fail(error.into()))?;
    let deadline = Instant::now() + TIMEOUT;
    let mut pause = Duration::from_micros(100);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(fail(error)),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                return Err(Error::new(ErrorKind::LockTimeout, what, &path));
            }
            // The kernel has no lock that waits for a while only.
            Err(TryLockError::WouldBlock) => thread::sleep(pause),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
