//! Replaces a file: all of the new content, or all of the old.

use std::{
    fs::File,
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{self, AtFlags, FileType, Mode, OFlags, RawMode, RenameFlags},
    io::Errno,
};

use crate::{
    error::{Error, ErrorKind, Result},
    gate::Gate,
    metadata::{self, Lost, Old, Preserve},
    place::{Place, Symlink},
    temp::Temp,
};

const WHAT: &str = "write";

/// The most that is written between two looks at whether it has been given up.
const CHUNK: usize = 1 << 20;

/// What a write survives once it has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Durability {
    /// A crash or kill of the process: nothing is flushed. After a loss of power the file may be the old one, the new one, or empty.
    None,
    /// As `None`; and after a loss of power it is the old file or the new one, whole.
    Data,
    /// A loss of power: file and folder are flushed.
    #[default]
    Full,
}

/// How to replace a file atomically: see [`write`](AtomicFile::write) for the steps.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("secret.key");
/// use underpin_fsx::blocking::AtomicFile;
///
/// let written = AtomicFile::at(&path).mode(0o600).create_new().write("s3cr3t")?;
/// assert!(written.durable);
/// assert!(AtomicFile::at(&path).create_new().write("another").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is written before `write`, `write_with` or `open`"]
pub struct AtomicFile {
    path: PathBuf,
    durability: Durability,
    symlink: Symlink,
    preserve: Preserve,
    mode: Option<Mode>,
    create_new: bool,
    replace_readonly: bool,
    refuse_hard_links: bool,
    /// For one write that can be given up; nothing of it is public.
    gate: Option<Gate>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// The size of the file.
    pub bytes: u64,
    /// Whether there was a file before.
    pub replaced: bool,
    /// Whether file and folder have been flushed. False if less was asked for, or if the file system cannot flush folders.
    pub durable: bool,
    /// What the old file had and the new one has not, because this user may not set it.
    pub lost: Vec<Lost>,
}

impl AtomicFile {
    /// The file at this path, which may exist. Its folder has to.
    pub fn at(path: impl AsRef<Path>) -> AtomicFile {
        AtomicFile {
            path: path.as_ref().to_owned(),
            durability: Durability::default(),
            symlink: Symlink::default(),
            preserve: Preserve::default(),
            mode: None,
            create_new: false,
            replace_readonly: false,
            refuse_hard_links: false,
            gate: None,
        }
    }

    /// What the write survives; everything by default.
    pub fn durability(mut self, durability: Durability) -> AtomicFile {
        self.durability = durability;
        self
    }

    /// What to do with a symbolic link; it is followed by default.
    pub fn symlink(mut self, symlink: Symlink) -> AtomicFile {
        self.symlink = symlink;
        self
    }

    /// What of the old file is kept beside its name; as much as possible by default.
    pub fn preserve(mut self, preserve: Preserve) -> AtomicFile {
        self.preserve = preserve;
        self
    }

    /// The permissions, exactly. By default those of the old file, or what the umask leaves of `0o666`.
    pub fn mode(mut self, mode: u32) -> AtomicFile {
        self.mode = Some(Mode::from_raw_mode(mode as RawMode));
        self
    }

    /// Fails with [`ErrorKind::AlreadyExists`] if there is a file. Of several who try at the same time, one succeeds.
    pub fn create_new(mut self) -> AtomicFile {
        self.create_new = true;
        self
    }

    /// Replaces a file whose owner has no write permission, too.
    pub fn replace_readonly(mut self) -> AtomicFile {
        self.replace_readonly = true;
        self
    }

    /// Fails with [`ErrorKind::HardLinked`] if the file has several names; by default the other names keep the old content.
    pub fn refuse_hard_links(mut self) -> AtomicFile {
        self.refuse_hard_links = true;
        self
    }

    pub(crate) fn with_gate(mut self, gate: Gate) -> AtomicFile {
        self.gate = Some(gate);
        self
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the content.
    ///
    /// It is written to a temporary file in the same folder, which gets the owner, ACL, attributes and mode of the old one, is flushed, and is
    /// renamed; then the folder is flushed. Until it has its final mode, nobody else can read it.
    ///
    /// # Errors
    ///
    /// Whatever is in the way. The old file is untouched and nothing temporary is left, unless the error's [`state`](Error::state) is
    /// [`NotDurable`](crate::State::NotDurable).
    pub fn write(&self, content: impl AsRef<[u8]>) -> Result<Written> {
        let mut writer = self.open()?;
        writer.write_all(content.as_ref()).map_err(|error| self.fail(error))?;
        writer.commit()
    }

    /// As [`write`](AtomicFile::write), of what the function writes, through a buffer of 64 KiB.
    ///
    /// # Errors
    ///
    /// As [`write`](AtomicFile::write), and the function's own.
    pub fn write_with<R>(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<R>,
    ) -> Result<(Written, R)> {
        let mut buffer = BufWriter::with_capacity(64 << 10, self.open()?);
        let output = write(&mut buffer).map_err(|error| self.fail(error))?;
        let writer = buffer.into_inner().map_err(|error| self.fail(error.into_error()))?;
        Ok((writer.commit()?, output))
    }

    /// Opens the temporary file, to be written bit by bit.
    ///
    /// # Errors
    ///
    /// As [`write`](AtomicFile::write).
    pub fn open(&self) -> Result<Writer> {
        self.open_at(Place::find(WHAT, &self.path, self.symlink)?)
    }

    /// As [`open`](AtomicFile::open), where the folder is open already.
    pub(crate) fn open_at(&self, place: Place) -> Result<Writer> {
        let fail = |error: Errno| self.fail(error);
        let is_there = place.stat().map_err(fail)?.is_some();
        if is_there && self.create_new {
            return Err(Error::new(ErrorKind::AlreadyExists, WHAT, &self.path));
        }
        let old = self.old(&place)?;
        let carries = old.is_some() && self.preserve != Preserve::Nothing;
        // The kernel takes the umask off, and adds what the folder's default ACL says. What gets its mode later is the owner's alone till then.
        let mode = if carries || self.mode.is_some() { 0o600 } else { 0o666 };
        let temp =
            Temp::create(place, Mode::from_raw_mode(mode)).map_err(|error| self.fail(error))?;
        Ok(Writer { temp, how: self.clone(), old: old.filter(|_| carries), is_there })
    }

    /// The file that is to be replaced, if that is allowed.
    fn old(&self, place: &Place) -> Result<Option<Old>> {
        let Some(stat) = place.stat_target().map_err(|error| self.fail(error))? else {
            return Ok(None);
        };
        let refuse = |kind| Err(Error::new(kind, WHAT, &self.path));
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return refuse(ErrorKind::NotAFile);
        }
        if stat.st_mode & 0o200 == 0 && !self.replace_readonly {
            return refuse(ErrorKind::ReadOnlyFile);
        }
        if stat.st_nlink > 1 && self.refuse_hard_links {
            return refuse(ErrorKind::HardLinked);
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let file = place.open(&place.name, flags, Mode::empty()).ok();
        Ok(Some(Old { stat, file }))
    }

    fn fail(&self, error: impl Into<io::Error>) -> Error {
        Error::io(WHAT, &self.path, error)
    }
}

/// A file that is being written, under a temporary name. [`commit`](Writer::commit) puts it in its place; dropping it discards it.
///
/// It is not buffered.
#[derive(Debug)]
#[must_use = "dropping it discards what was written"]
pub struct Writer {
    temp: Temp,
    how: AtomicFile,
    old: Option<Old>,
    is_there: bool,
}

impl Writer {
    /// Puts the file in its place.
    ///
    /// # Errors
    ///
    /// As [`AtomicFile::write`].
    pub fn commit(mut self) -> Result<Written> {
        let how = &self.how;
        let fail = |error: io::Error| how.fail(error);
        let lost = self.carry()?;
        let bytes = self.temp.file.metadata().map_err(fail)?.len();
        if how.durability >= Durability::Data {
            // Never tried again: after an error the kernel takes the pages for clean, and the next try would succeed.
            self.temp.file.sync_all().map_err(fail)?;
        }
        if how.gate.as_ref().is_some_and(|gate| !gate.commit()) {
            return Err(fail(cancelled()));
        }
        self.rename().map_err(|error| {
            let failed = how.fail(error);
            match error {
                Errno::BUSY | Errno::XDEV => failed.with_kind(ErrorKind::MountPoint),
                _ => failed,
            }
        })?;
        self.temp.forget();
        let durable = how.durability == Durability::Full
            && self.temp.place.flush_dir().map_err(|error| how.fail(error).not_durable())?;
        Ok(Written { bytes, replaced: self.is_there, durable, lost })
    }

    fn carry(&self) -> Result<Vec<Lost>> {
        let how = &self.how;
        let lost = match (&self.old, how.mode) {
            (Some(old), mode) => metadata::carry(old, &self.temp.file, mode),
            (None, Some(mode)) => fs::fchmod(&self.temp.file, mode).map(|()| Vec::new()),
            (None, None) => Ok(Vec::new()),
        };
        let lost = lost.map_err(|error| how.fail(error))?;
        if how.preserve == Preserve::Strict && !lost.is_empty() {
            return Err(Error::new(ErrorKind::NotKept, WHAT, &how.path));
        }
        Ok(lost)
    }

    fn rename(&self) -> rustix::io::Result<()> {
        let Temp { place: Place { dir, name, .. }, name: temp, .. } = &self.temp;
        if !self.how.create_new {
            return fs::renameat(dir, temp, dir, name);
        }
        match fs::renameat_with(dir, temp, dir, name, RenameFlags::NOREPLACE) {
            // Asked each time: another folder can be on another file system.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                fs::linkat(dir, temp, dir, name, AtFlags::empty())?;
                // It has been created; a second name that stays is swept up.
                let _ = fs::unlinkat(dir, temp, AtFlags::empty());
                Ok(())
            }
            result => result,
        }
    }

    fn file(&self) -> &File {
        &self.temp.file
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.how.gate.as_ref().is_some_and(Gate::is_cancelled) {
            return Err(cancelled());
        }
        self.file().write(&bytes[..bytes.len().min(CHUNK)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Writer {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file().seek(to)
    }
}

/// Seen by nobody: whoever waited for the operation has gone. Not `Interrupted`, which `write_all` would try again.
fn cancelled() -> io::Error {
    io::Error::other("the operation was given up")
}
