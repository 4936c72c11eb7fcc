//! The file: appended to under a lock, mended, rotated, flushed.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::FileExt as _,
};

use rustix::{
    fs::{self, Mode, OFlags},
    io::Errno,
};
use serde::de::IgnoredAny;

use super::{Flush, Options, Repair, Repaired, WHAT};
use crate::{
    atomic::AtomicFile,
    error::{Error, ErrorKind, Result},
    place::{Place, Symlink},
    read::lines::last_line,
};

#[derive(Debug)]
pub(super) struct Log {
    options: Options,
    place: Place,
    file: File,
    /// Where our last write ended, if nothing has gone wrong since. If the file still ends there, its end is whole.
    end: Option<u64>,
    /// Something has been written and not flushed.
    is_dirty: bool,
    /// What has been repaired since somebody looked.
    pub(super) repaired: Option<Repaired>,
}

impl Log {
    pub(super) fn open(options: &Options) -> Result<Log> {
        let place = Place::find(WHAT, &options.path, Symlink::Follow)?;
        let fail = |error| Error::io(WHAT, &options.path, error);
        let file = open(&place).map_err(fail)?;
        // Also if it was there: whoever created it may have been killed before he did this.
        if options.flush != Flush::Never {
            place.flush_dir().map_err(fail)?;
        }
        let options = options.clone();
        let mut log = Log { options, place, file, end: None, is_dirty: false, repaired: None };
        log.locked(Log::mend)?;
        if log.options.flush != Flush::Never {
            log.flush()?;
        }
        Ok(log)
    }

    /// Appends whole lines, all of them or none.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<()> {
        self.locked(|log| {
            let mut end = log.mend()?;
            while log.is_full(end, lines.len()) {
                log.rotate()?;
                end = log.mend()?;
            }
            log.write(end, lines).map_err(|error| log.fail(error))
        })
    }

    /// Makes what has been written survive a loss of power.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.is_dirty {
            self.file.sync_data().map_err(|error| self.fail(error).not_durable())?;
            self.is_dirty = false;
        }
        Ok(())
    }

    fn write(&mut self, end: u64, lines: &[u8]) -> io::Result<()> {
        // Unknown until all of it is there.
        self.end = None;
        self.is_dirty = true;
        if let Err(error) = self.file.write_all(lines) {
            // What is there of it is taken back. If that fails too, the next write mends it.
            self.file.set_len(end)?;
            self.end = Some(end);
            return Err(error);
        }
        self.end = Some(end + lines.len() as u64);
        Ok(())
    }

    /// Does something with the file that has the name now, while nobody else appends to it.
    fn locked<R>(&mut self, act: impl FnOnce(&mut Log) -> Result<R>) -> Result<R> {
        self.lock()?;
        let result = act(self);
        let _ = self.file.unlock();
        result
    }

    fn lock(&mut self) -> Result<()> {
        loop {
            match self.file.lock() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Where there are no locks, appending is as atomic as the file system makes it.
                Err(error) if has_no_locks(&error) => {}
                result => result.map_err(|error| self.fail(error))?,
            }
            let ours = fs::fstat(&self.file).map_err(|error| self.fail(error))?;
            let named = self.place.stat().map_err(|error| self.fail(error))?;
            if named.is_some_and(|it| (it.st_dev, it.st_ino) == (ours.st_dev, ours.st_ino)) {
                return Ok(());
            }
            // Somebody has rotated it.
            self.reopen()?;
        }
    }

    /// Turns to the file that has the name now. The lock on the old one goes with it.
    fn reopen(&mut self) -> Result<()> {
        let flushes = self.options.flush != Flush::Never;
        if flushes {
            self.flush()?;
        }
        self.file = open(&self.place).map_err(|error| self.fail(error))?;
        self.end = None;
        if flushes {
            self.place.flush_dir().map_err(|error| self.fail(error).not_durable())?;
        }
        Ok(())
    }

    fn is_full(&self, end: u64, more: usize) -> bool {
        self.options.rotate.is_some_and(|(max, _)| end > 0 && end + more as u64 > max)
    }

    fn rotate(&mut self) -> Result<()> {
        let keep = self.options.rotate.map_or(1, |(_, keep)| keep);
        let numbered = |number: u32| {
            let mut name = OsString::from(&self.place.name);
            name.push(format!(".{number}"));
            name
        };
        let rename = |from: OsString, to: OsString| match fs::renameat(
            &self.place.dir,
            &from,
            &self.place.dir,
            &to,
        ) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.fail(error)),
        };
        for number in (1..keep).rev() {
            rename(numbered(number), numbered(number + 1))?;
        }
        rename(self.place.name.clone(), numbered(1))?;
        self.reopen()?;
        self.lock()
    }

    /// Sees to it that the file ends with a whole line, and returns where that is.
    fn mend(&mut self) -> Result<u64> {
        let fail = |error: io::Error| Error::io(WHAT, &self.options.path, error);
        let end = self.file.metadata().map_err(fail)?.len();
        if end == 0 || self.end == Some(end) {
            return Ok(end);
        }
        let mut last = [0];
        self.file.read_exact_at(&mut last, end - 1).map_err(fail)?;
        if last == *b"\n" {
            return Ok(end);
        }
        let offset = last_line(&self.file, end).map_err(fail)?;
        let complete = self.is_record(offset, end).map_err(fail)?;
        let mended = match self.options.repair {
            Repair::Refuse if !complete => {
                return Err(Error::new(ErrorKind::Torn, WHAT, &self.options.path));
            }
            Repair::Quarantine if !complete => {
                self.quarantine(offset, end)?;
                self.file.set_len(offset).map_err(fail)?;
                offset
            }
            _ => {
                // If this is all that is written before the next crash, the line is ended for good.
                self.file.write_all(b"\n").map_err(fail)?;
                end + 1
            }
        };
        self.is_dirty = true;
        self.note(Repaired { offset, bytes: end - offset, complete });
        Ok(mended)
    }

    fn is_record(&self, offset: u64, end: u64) -> io::Result<bool> {
        let length = usize::try_from(end - offset).unwrap_or(usize::MAX);
        if length > self.options.max_record {
            return Ok(false);
        }
        let mut line = vec![0; length];
        self.file.read_exact_at(&mut line, offset)?;
        // Of a number nobody knows whether it is whole.
        let is_closed = matches!(line[0], b'{' | b'[' | b'"');
        Ok(is_closed && serde_json::from_slice::<IgnoredAny>(&line).is_ok())
    }

    /// Copies the end to a file of its own, which is there for good before anything is cut off.
    fn quarantine(&self, offset: u64, end: u64) -> Result<()> {
        let mut name = OsString::from(&self.place.name);
        name.push(format!(".torn-{offset}"));
        loop {
            match self.copy(offset, end, &name) {
                // The same place has been torn before.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => name.push(".again"),
                result => return result,
            }
        }
    }

    fn copy(&self, offset: u64, end: u64, name: &OsStr) -> Result<()> {
        let fail = |error: io::Error| self.fail(error);
        let place = self.place.sibling(name).map_err(fail)?;
        let mut copy = AtomicFile::at(&place.path).create_new().open_at(place)?;
        let mut from = &self.file;
        from.seek(SeekFrom::Start(offset)).map_err(fail)?;
        io::copy(&mut from.take(end - offset), &mut copy).map_err(fail)?;
        copy.commit().map(drop)
    }

    fn note(&mut self, repaired: Repaired) {
        #[cfg(feature = "tracing")]
        tracing::warn!(
            target: "fsx",
            path = %self.options.path.display(),
            offset = repaired.offset,
            bytes = repaired.bytes,
            complete = repaired.complete,
            "torn end of a log"
        );
        self.repaired = Some(repaired);
    }

    fn fail(&self, error: impl Into<io::Error>) -> Error {
        Error::io(WHAT, &self.options.path, error)
    }
}

fn open(place: &Place) -> io::Result<File> {
    let flags =
        OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = place.open(&place.name, flags, Mode::from_raw_mode(0o666))?;
    // A pipe or a device would take the records and keep none.
    if !file.metadata()?.is_file() {
        return Err(Errno::ISDIR.into());
    }
    Ok(file)
}

fn has_no_locks(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    error.kind() == io::ErrorKind::Unsupported
        || matches!(errno, Some(Errno::NOLCK | Errno::NOTSUP))
}
