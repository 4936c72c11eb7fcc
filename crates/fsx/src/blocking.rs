//! The same without a runtime: every function works in the thread that calls it.

use std::{ops::ControlFlow, path::Path, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    atomic::Written,
    error::Result,
    json,
    read::{Options, line::Line, stats::Stats},
    temp,
};
pub use crate::{
    atomic::{AtomicFile, Writer},
    jsonl::BlockingJsonl as Jsonl,
    read::Reader,
};
#[cfg(feature = "watch")]
pub use crate::{follow::BlockingFollow as Follow, watch::BlockingWatch as Watch};

/// Replaces a file atomically and durably: [`AtomicFile::write`] with all defaults.
///
/// # Errors
///
/// As [`AtomicFile::write`].
pub fn write(path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Result<Written> {
    AtomicFile::at(path).write(content)
}

/// Replaces a file by a value as JSON that people can read: indented by two spaces, with a line feed at the end.
///
/// # Errors
///
/// As [`write()`]; [`ErrorKind::Json`](crate::ErrorKind::Json) if the value cannot be written as JSON.
pub fn write_json(path: impl AsRef<Path>, value: &impl Serialize) -> Result<Written> {
    let path = path.as_ref();
    json::write_json(&AtomicFile::at(path), path, value)
}

/// Reads a JSON document of at most `max` bytes. A byte order mark is skipped.
///
/// # Errors
///
/// [`NotFound`](crate::ErrorKind::NotFound), [`TooLarge`](crate::ErrorKind::TooLarge), [`Json`](crate::ErrorKind::Json), or what the operating system says.
pub fn read_json<T: DeserializeOwned>(path: impl AsRef<Path>, max: u64) -> Result<T> {
    json::read_json(path.as_ref(), max)
}

/// As [`read_json`]; when the file is missing it is the default, and when it is not JSON of the type, that is logged and it is the default.
///
/// The event is `default in place of bad JSON` of the target `fsx`, a warning with `path` and `error`.
///
/// # Errors
///
/// Any other error: a file that cannot be read is not taken for an empty one.
pub fn read_json_or<T: DeserializeOwned>(
    path: impl AsRef<Path>,
    max: u64,
    default: impl FnOnce() -> T,
) -> Result<T> {
    json::read_json_or(path.as_ref(), max, default)
}

/// Changes a JSON document under a lock, and returns what the function returned.
///
/// It is read (a missing file is the type's default), changed, and written atomically and durably unless its bytes are the same. Whoever updates it
/// meanwhile, also in another process, waits for the lock, at most 10 s. The lock is a file beside it, `{name}.lock`, which stays there.
///
/// # Errors
///
/// As [`read_json`] and [`write_json`]; [`LockTimeout`](crate::ErrorKind::LockTimeout). A file that is not JSON of the type stays as it is.
pub fn update_json<T, R>(
    path: impl AsRef<Path>,
    max: u64,
    change: impl FnOnce(&mut T) -> R,
) -> Result<R>
where
    T: Serialize + DeserializeOwned + Default,
{
    json::update_json(path.as_ref(), max, None, change)
}

/// Removes what writers that were killed have left in a folder, and returns how many files that were.
///
/// Only temporary files of this crate that were last written to so long ago and that no living writer holds: it is safe beside running ones, whatever the
/// age. What cannot be removed is left.
///
/// # Errors
///
/// When the folder cannot be read.
pub fn sweep_stale(dir: impl AsRef<Path>, older_than: Duration) -> Result<usize> {
    temp::sweep_stale(dir.as_ref(), older_than)
}

/// Reads the records of a JSON Lines file, in memory that does not depend on its size: a buffer of at most the longest line and 64 KiB.
///
/// Lines end in LF or CRLF; blank ones are skipped. A last line without a line feed is read like the others. Each item is a record or an error: one with a
/// [`line`](crate::Error::line) is about that line, and reading goes on after it; any other is the last item. The file is opened by the first one.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("numbers.jsonl");
/// # std::fs::write(&path, "1\n2\nthree\n4\n")?;
/// let mut numbers = underpin_fsx::blocking::read_jsonl::<u32>(&path).skip_malformed();
/// assert_eq!(numbers.by_ref().sum::<underpin_fsx::Result<u32>>()?, 7);
/// assert_eq!(numbers.stats().bad[0].number, 3);
/// # Ok(())
/// # }
/// ```
pub fn read_jsonl<T: DeserializeOwned>(path: impl AsRef<Path>) -> Reader<T> {
    Reader::new(Options::new(path.as_ref()))
}

/// Shows each line of a file to a function, which can read it as JSON that borrows from the buffer: the fastest way.
///
/// Only lines that may be records are shown: not blank ones, nor those that are longer than 1 MiB or not UTF-8, which are counted. For other limits, begin with
/// [`read_jsonl`] and use [`Reader::for_each_line`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("logins.jsonl");
/// # std::fs::write(&path, "{\"user\":\"ann\"}\n{\"user\":\"bob\"}\n")?;
/// use std::ops::ControlFlow;
///
/// #[derive(serde::Deserialize)]
/// struct Login<'a> { user: &'a str }
///
/// let mut length = 0;
/// let stats = underpin_fsx::blocking::for_each_line(&path, |line| {
///     if let Ok(login) = line.parse::<Login>() {
///         length += login.user.len();
///     }
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!((length, stats.ok), (6, 2));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// What the operating system says. Lines that are bad are no error.
pub fn for_each_line(
    path: impl AsRef<Path>,
    show: impl FnMut(Line<'_>) -> ControlFlow<()>,
) -> Result<Stats> {
    Reader::<()>::new(Options::new(path.as_ref())).for_each_line(show)
}
