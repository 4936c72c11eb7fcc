//! Reading small files without waiting for them and without end.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

/// More than any secret, certificate chain or `.env` file has.
const MAX_LEN: u64 = 1 << 20;

/// Why a file cannot be used; completes "names a file that …".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Missing,
    Other(&'static str),
}

/// The content of a regular file of at most [`MAX_LEN`] bytes, as UTF-8.
pub(crate) fn read(path: &Path) -> Result<String, Unreadable> {
    String::from_utf8(read_bytes(path)?).map_err(|_| Unreadable::Other("is not UTF-8"))
}

/// The same, whatever its encoding, if it can be read at all.
pub(crate) fn read_lossy(path: &Path) -> Option<String> {
    read_bytes(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, Unreadable> {
    // Before opening: to open a pipe that nobody writes to waits for ever.
    let kind = fs::metadata(path).map_err(|error| unreadable(&error))?.file_type();
    if kind.is_dir() {
        return Err(Unreadable::Other("is a directory"));
    }
    if !kind.is_file() {
        return Err(Unreadable::Other("is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_LEN + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > MAX_LEN {
        return Err(Unreadable::Other("is larger than 1 MiB"));
    }
    Ok(bytes)
}

fn unreadable(error: &io::Error) -> Unreadable {
    match error.kind() {
        io::ErrorKind::NotFound => Unreadable::Missing,
        io::ErrorKind::PermissionDenied => Unreadable::Other("this user may not read"),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => {
            Unreadable::Other("has a name that no file can have")
        }
        _ => Unreadable::Other("cannot be read"),
    }
}
