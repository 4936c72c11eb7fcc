//! JSON documents: state and settings.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rustix::fs::{Mode, OFlags};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    atomic::{AtomicFile, Written},
    error::{Error, ErrorKind, Result},
    gate::Gate,
    lock::lock,
    place::{Place, Symlink},
};

pub(crate) fn write_json(
    file: &AtomicFile,
    path: &Path,
    value: &impl Serialize,
) -> Result<Written> {
    // Whole before a file is opened, so that a value that cannot be written costs nothing.
    file.write(pretty("write", path, value)?)
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path, max: u64) -> Result<T> {
    let what = "read";
    // A pipe that nobody writes to would be waited for.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| Error::io(what, path, error))?;
    parse(what, path, &read(what, path, file, max)?)
}

pub(crate) fn read_json_or<T: DeserializeOwned>(
    path: &Path,
    max: u64,
    default: impl FnOnce() -> T,
) -> Result<T> {
    match read_json(path, max) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(default()),
        Err(error) if error.kind() == ErrorKind::Json => {
            #[cfg(feature = "tracing")]
            tracing::warn!(
                target: "fsx",
                path = %path.display(),
                error = std::error::Error::source(&error).map(tracing::field::display),
                "default in place of bad JSON"
            );
            Ok(default())
        }
        result => result,
    }
}

pub(crate) fn update_json<T, R>(
    path: &Path,
    max: u64,
    gate: Option<Gate>,
    change: impl FnOnce(&mut T) -> R,
) -> Result<R>
where
    T: Serialize + DeserializeOwned + Default,
{
    let what = "update";
    // The links are followed first, so that all who lead here by whatever name wait for the same lock.
    let place = Place::find(what, path, Symlink::Follow)?;
    let _lock = lock(what, &place)?;
    let old = match place.open(&place.name, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()) {
        Ok(file) => Some(read(what, path, file, max)?),
        Err(rustix::io::Errno::NOENT) => None,
        Err(error) => return Err(Error::io(what, path, error)),
    };
    let mut value = match &old {
        Some(old) => parse(what, path, old)?,
        None => T::default(),
    };
    let output = change(&mut value);
    let new = pretty(what, path, &value)?;
    if u64::try_from(new.len()).is_ok_and(|len| len > max) {
        // It could not be read again.
        return Err(Error::new(ErrorKind::TooLarge, what, path));
    }
    if old.as_ref() != Some(&new) {
        let file = AtomicFile::at(&place.path);
        let file = match gate {
            Some(gate) => file.with_gate(gate),
            None => file,
        };
        // In the folder that was opened first: it is there that the lock is held, wherever the path leads by now.
        let mut writer = file.open_at(place)?;
        writer.write_all(&new).map_err(|error| Error::io(what, path, error))?;
        writer.commit()?;
    }
    Ok(output)
}

fn read(what: &'static str, path: &Path, file: File, max: u64) -> Result<Vec<u8>> {
    let fail = |error: io::Error| Error::io(what, path, error);
    let metadata = file.metadata().map_err(fail)?;
    if !metadata.is_file() {
        return Err(Error::new(ErrorKind::NotAFile, what, path));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(max)).unwrap_or(0) + 1);
    // A file can grow, and one of /proc has no size.
    file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > max {
        return Err(Error::new(ErrorKind::TooLarge, what, path));
    }
    Ok(bytes)
}

fn parse<T: DeserializeOwned>(what: &'static str, path: &Path, bytes: &[u8]) -> Result<T> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|error| Error::json(what, path, error))
}

/// Indented by two spaces, with a line feed at the end.
fn pretty(what: &'static str, path: &Path, value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|error| Error::json(what, path, error))?;
    bytes.push(b'\n');
    Ok(bytes)
}
