//! Temporary files: how they are named, made, and swept up after a crash.

use std::{
    ffi::{OsStr, OsString},
    fmt::Write as _,
    fs::{File, TryLockError},
    io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
    time::{Duration, SystemTime},
};

use rustix::{
    fs::{self, AtFlags, Dir, Mode, OFlags},
    io::Errno,
};

use crate::{
    error::{Error, Result},
    place::Place,
    random::random,
};

/// Of the name of the file; the rest of 255 bytes is for what makes it a temporary one.
const MAX_NAME: usize = 200;
const SUFFIX: &[u8] = b".tmp~";
const DIGITS: usize = 16;

/// A temporary file under its own name. It holds a lock, so that nobody sweeps it up; dropping it removes it.
#[derive(Debug)]
pub(crate) struct Temp {
    pub(crate) file: File,
    pub(crate) place: Place,
    pub(crate) name: OsString,
    is_there: bool,
}

impl Temp {
    pub(crate) fn create(place: Place, mode: Mode) -> io::Result<Temp> {
        let (name, file) = make(&place, mode)?;
        let mut temp = Temp { file, place, name, is_there: true };
        while !temp.is_ours()? {
            temp.remove();
            (temp.name, temp.file) = make(&temp.place, mode)?;
            temp.is_there = true;
        }
        Ok(temp)
    }

    /// Locks it. False: somebody who sweeps with no regard for age was faster.
    fn is_ours(&self) -> io::Result<bool> {
        match self.file.try_lock() {
            Ok(()) => Ok(self.file.metadata()?.nlink() > 0),
            Err(TryLockError::WouldBlock) => Ok(false),
            // Where there are no locks, nobody sweeps either.
            Err(TryLockError::Error(_)) => Ok(true),
        }
    }

    /// It has another name now, or none that is ours.
    pub(crate) fn forget(&mut self) {
        self.is_there = false;
    }

    pub(crate) fn remove(&mut self) {
        if std::mem::take(&mut self.is_there) {
            // What cannot be removed now is swept up later.
            let _ = fs::unlinkat(&self.place.dir, &self.name, AtFlags::empty());
        }
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        self.remove();
    }
}

fn make(place: &Place, mode: Mode) -> io::Result<(OsString, File)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    loop {
        let name = temp_name(&place.name);
        match place.open(&name, flags, mode) {
            Err(Errno::EXIST) => {}
            opened => return Ok((name, opened?)),
        }
    }
}

fn temp_name(name: &OsStr) -> OsString {
    let name = name.as_bytes();
    let mut end = name.len().min(MAX_NAME);
    // Not inside a character, which some file systems refuse.
    while end > 0 && name.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    let mut digits = String::with_capacity(DIGITS);
    let _ = write!(digits, "{:0DIGITS$x}", random());
    let mut temp = OsString::from(".");
    temp.push(OsStr::from_bytes(&name[..end]));
    temp.push(".");
    temp.push(digits);
    temp.push(OsStr::from_bytes(SUFFIX));
    temp
}

fn is_temp_name(name: &[u8]) -> bool {
    let digits = || {
        let name = name.strip_prefix(b".")?.strip_suffix(SUFFIX)?;
        let (rest, digits) = name.split_at_checked(name.len().checked_sub(DIGITS)?)?;
        let is_hex = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        (rest.ends_with(b".") && digits.iter().all(is_hex)).then_some(())
    };
    digits().is_some()
}

pub(crate) fn sweep_stale(dir: &Path, older_than: Duration) -> Result<usize> {
    let what = "sweep";
    let fail = |error: Errno| Error::io(what, dir, error);
    // The name is never used; a place is a folder with functions.
    let place = Place::find(what, &dir.join("any"), crate::Symlink::Replace)?;
    let now = SystemTime::now();
    let mut swept = 0;
    for entry in Dir::read_from(&place.dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if is_temp_name(entry.file_name().to_bytes())
            && is_stale(&place, OsStr::from_bytes(entry.file_name().to_bytes()), now, older_than)
        {
            swept += 1;
        }
    }
    Ok(swept)
}

/// Removes it, if it is a file that is old enough and that no living writer holds.
fn is_stale(place: &Place, name: &OsStr, now: SystemTime, older_than: Duration) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let Ok(file) = place.open(name, flags, Mode::empty()) else { return false };
    let Ok(metadata) = file.metadata() else { return false };
    // A file of the future is left for later.
    let age = metadata.modified().ok().and_then(|then| now.duration_since(then).ok());
    metadata.is_file()
        && age.is_some_and(|age| age >= older_than)
        && file.try_lock().is_ok()
        && fs::unlinkat(&place.dir, name, AtFlags::empty()).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::{is_temp_name, temp_name};

    #[test]
    fn temp_names_are_known_and_others_are_not() {
        assert!(is_temp_name(temp_name("state.json".as_ref()).as_bytes()));
        assert!(is_temp_name(b".a.0123456789abcdef.tmp~"));
        for other in
            ["a.0123456789abcdef.tmp~", ".a.0123456789abcdeg.tmp~", ".a.tmp~", ".tmp~", "."]
        {
            assert!(!is_temp_name(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let name = temp_name("ä".repeat(120).as_ref());
        assert!(name.len() <= 255 && name.to_str().is_some());
    }
}
