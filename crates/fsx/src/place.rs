//! Where a file is: an open folder, and a name in it.
//!
//! Everything is done relative to the folder that was opened first, so that the one that is flushed is the one that was renamed in, whatever happens to the path
//! meanwhile.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{self, AtFlags, CWD, Mode, OFlags, Stat},
    io::{Errno, retry_on_intr},
};

use crate::error::{Error, ErrorKind, Result};

/// As many as Linux follows.
const MAX_LINKS: usize = 40;

/// What to do with a symbolic link in the place of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Symlink {
    /// Replaces the file that it leads to, or creates it, and leaves the link alone. At most 40 in a row.
    #[default]
    Follow,
    /// Replaces the link itself by a file. Mode, owner and attributes are still those of the file that it led to.
    Replace,
    /// Fails with [`ErrorKind::Symlink`].
    Refuse,
}

/// A name in an open folder.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) dir: File,
    pub(crate) name: OsString,
    /// For messages, and for those who must have a path.
    pub(crate) path: PathBuf,
}

impl Place {
    pub(crate) fn find(what: &'static str, path: &Path, symlink: Symlink) -> Result<Place> {
        let fail = |error: Errno| Error::io(what, path, error);
        let mut place = Place::split(CWD, path).map_err(fail)?;
        for _ in 0..=MAX_LINKS {
            if symlink == Symlink::Replace {
                return Ok(place);
            }
            let target = match fs::readlinkat(&place.dir, &place.name, Vec::new()) {
                Ok(target) => PathBuf::from(OsString::from_vec(target.into_bytes())),
                // Not a link, or nothing at all.
                Err(Errno::INVAL | Errno::NOENT) => return Ok(place),
                Err(error) => return Err(fail(error)),
            };
            if symlink == Symlink::Refuse {
                return Err(Error::new(ErrorKind::Symlink, what, path));
            }
            let mut next = Place::split(&place.dir, &target).map_err(fail)?;
            next.path = parent(&place.path).join(target);
            place = next;
        }
        Err(fail(Errno::LOOP))
    }

    fn split(base: impl rustix::fd::AsFd, path: &Path) -> rustix::io::Result<Place> {
        // A path that ends in a slash, in `.` or in `..` can only be a folder.
        let bytes = path.as_os_str().as_encoded_bytes();
        let name = match path.file_name() {
            Some(name) if bytes.ends_with(name.as_encoded_bytes()) => name.to_owned(),
            _ if bytes.is_empty() => return Err(Errno::NOENT),
            _ => return Err(Errno::ISDIR),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = retry_on_intr(|| fs::openat(&base, parent(path), flags, Mode::empty()))?;
        Ok(Place { dir: File::from(dir), name, path: path.to_owned() })
    }

    /// What is there now. Links are not followed.
    pub(crate) fn stat(&self) -> rustix::io::Result<Option<Stat>> {
        exists(fs::statat(&self.dir, &self.name, AtFlags::SYMLINK_NOFOLLOW))
    }

    /// What is there now, at the end of all links.
    pub(crate) fn stat_target(&self) -> rustix::io::Result<Option<Stat>> {
        exists(fs::statat(&self.dir, &self.name, AtFlags::empty()))
    }

    pub(crate) fn open(&self, name: &OsStr, flags: OFlags, mode: Mode) -> rustix::io::Result<File> {
        let flags = flags | OFlags::CLOEXEC;
        Ok(File::from(retry_on_intr(|| fs::openat(&self.dir, name, flags, mode))?))
    }

    /// The path of another name in the same folder.
    pub(crate) fn beside(&self, name: &OsStr) -> PathBuf {
        parent(&self.path).join(name)
    }

    /// Another name in the same folder.
    pub(crate) fn sibling(&self, name: &OsStr) -> io::Result<Place> {
        Ok(Place { dir: self.dir.try_clone()?, name: name.to_owned(), path: self.beside(name) })
    }

    /// Flushes the folder, so that the names in it survive a loss of power. False: the file system has no such thing.
    pub(crate) fn flush_dir(&self) -> io::Result<bool> {
        match self.dir.sync_all() {
            Ok(()) => Ok(true),
            // CIFS and some FUSE file systems.
            Err(error)
                if matches!(
                    error.raw_os_error().map(Errno::from_raw_os_error),
                    Some(Errno::INVAL | Errno::NOTSUP)
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// The folder of a path, which is the current one for a bare name.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

fn exists(stat: rustix::io::Result<Stat>) -> rustix::io::Result<Option<Stat>> {
    match stat {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}
