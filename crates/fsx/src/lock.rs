//! A lock beside a file, for whoever reads it, changes it and writes it back.

use std::{
    fs::{File, TryLockError},
    io, thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

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
    lock_within(what, place, TIMEOUT)
}

fn lock_within(what: &'static str, place: &Place, timeout: Duration) -> Result<File> {
    let mut name = place.name.clone();
    name.push(".lock");
    let path = place.beside(&name);
    let fail = |error: io::Error| Error::io(what, &path, error);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW;
    let file = match place.open(&name, flags, Mode::from_raw_mode(0o666)) {
        // Another user has made it, and his umask kept others from writing to it. NFS would want that; others lock what can be read.
        Err(Errno::ACCESS) => place.open(&name, OFlags::RDONLY | OFlags::NOFOLLOW, Mode::empty()),
        opened => opened,
    }
    .map_err(|error| fail(error.into()))?;
    let deadline = Instant::now() + timeout;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::lock_within;
    use crate::{
        error::ErrorKind,
        place::{Place, Symlink},
    };

    #[test]
    fn lock_is_waited_for_so_long_and_freed_with_its_file() {
        let dir = tempfile::tempdir().expect("a temp folder");
        let place = Place::find("lock", &dir.path().join("a"), Symlink::Follow).expect("a folder");
        let lock = || lock_within("lock", &place, Duration::from_millis(5));
        let held = lock().expect("it is free");
        let error = lock().expect_err("it is held");
        assert_eq!(
            (error.kind(), error.path()),
            (ErrorKind::LockTimeout, &*dir.path().join("a.lock"))
        );
        drop(held);
        lock().expect("it is free again");
    }
}
