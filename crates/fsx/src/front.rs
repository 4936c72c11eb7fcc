//! The async functions: each is one job on a blocking thread, which its caller can give up until it commits.

use std::{
    io::{self, Write},
    panic,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use tokio::task::{AbortHandle, spawn_blocking};

use crate::{
    atomic::{self, Durability, Written},
    error::{Error, Result},
    gate::Gate,
    json,
    metadata::Preserve,
    place::Symlink,
    temp,
};

/// How to replace a file atomically; the async form of [`blocking::AtomicFile`](crate::blocking::AtomicFile), whose documentation says what each setting does.
#[derive(Debug, Clone)]
#[must_use = "nothing is written before `write` or `write_with`"]
pub struct AtomicFile(atomic::AtomicFile);

impl AtomicFile {
    /// The file at this path, which may exist. Its folder has to.
    pub fn at(path: impl AsRef<Path>) -> AtomicFile {
        AtomicFile(atomic::AtomicFile::at(path))
    }

    /// What the write survives; everything by default.
    pub fn durability(self, durability: Durability) -> AtomicFile {
        AtomicFile(self.0.durability(durability))
    }

    /// What to do with a symbolic link; it is followed by default.
    pub fn symlink(self, symlink: Symlink) -> AtomicFile {
        AtomicFile(self.0.symlink(symlink))
    }

    /// What of the old file is kept beside its name; as much as possible by default.
    pub fn preserve(self, preserve: Preserve) -> AtomicFile {
        AtomicFile(self.0.preserve(preserve))
    }

    /// The permissions, exactly. By default those of the old file, or what the umask leaves of `0o666`.
    pub fn mode(self, mode: u32) -> AtomicFile {
        AtomicFile(self.0.mode(mode))
    }

    /// Fails if there is a file. Of several who try at the same time, one succeeds.
    pub fn create_new(self) -> AtomicFile {
        AtomicFile(self.0.create_new())
    }

    /// Replaces a file whose owner has no write permission, too.
    pub fn replace_readonly(self) -> AtomicFile {
        AtomicFile(self.0.replace_readonly())
    }

    /// Fails if the file has several names; by default the other names keep the old content.
    pub fn refuse_hard_links(self) -> AtomicFile {
        AtomicFile(self.0.refuse_hard_links())
    }

    /// Replaces the content: see [`blocking::AtomicFile::write`](crate::blocking::AtomicFile::write).
    ///
    /// # Errors
    ///
    /// As the blocking one.
    ///
    /// # Cancel safety
    ///
    /// Dropped before the rename, nothing happens to the file and the temporary one is removed; dropped after it, the write runs to its end. A write that
    /// is under way is given up after at most 1 MiB, and a flush is waited for.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as all async functions of this crate.
    pub async fn write(self, content: impl AsRef<[u8]> + Send + 'static) -> Result<Written> {
        self.run(move |file| file.write(content)).await
    }

    /// As [`write`](AtomicFile::write), of what the function writes, through a buffer of 64 KiB.
    ///
    /// # Errors
    ///
    /// As [`write`](AtomicFile::write), and the function's own.
    ///
    /// # Cancel safety
    ///
    /// As [`write`](AtomicFile::write); the function notices when it next writes.
    pub async fn write_with<R: Send + 'static>(
        self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<R> + Send + 'static,
    ) -> Result<(Written, R)> {
        self.run(move |file| file.write_with(write)).await
    }

    async fn run<R: Send + 'static>(
        self,
        job: impl FnOnce(&atomic::AtomicFile) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let gate = Gate::default();
        let file = self.0.with_gate(gate.clone());
        run("write", file.path().to_owned(), gate, move || job(&file)).await
    }
}

/// Replaces a file atomically and durably: [`AtomicFile::write`] with all defaults.
///
/// # Errors
///
/// As [`AtomicFile::write`].
///
/// # Cancel safety
///
/// As [`AtomicFile::write`].
pub async fn write(
    path: impl AsRef<Path>,
    content: impl AsRef<[u8]> + Send + 'static,
) -> Result<Written> {
    AtomicFile::at(path).write(content).await
}

/// Replaces a file by a value as JSON: see [`blocking::write_json`](crate::blocking::write_json).
///
/// # Errors
///
/// As the blocking one.
///
/// # Cancel safety
///
/// As [`AtomicFile::write`].
pub async fn write_json<T: Serialize + Send + 'static>(
    path: impl AsRef<Path>,
    value: T,
) -> Result<Written> {
    let path = path.as_ref().to_owned();
    AtomicFile::at(&path).run(move |file| json::write_json(file, &path, &value)).await
}

/// Reads a JSON document of at most `max` bytes: see [`blocking::read_json`](crate::blocking::read_json).
///
/// # Errors
///
/// As the blocking one.
pub async fn read_json<T: DeserializeOwned + Send + 'static>(
    path: impl AsRef<Path>,
    max: u64,
) -> Result<T> {
    let path = path.as_ref().to_owned();
    run("read", path.clone(), Gate::default(), move || json::read_json(&path, max)).await
}

/// Reads a JSON document, or takes the default: see [`blocking::read_json_or`](crate::blocking::read_json_or).
///
/// # Errors
///
/// As the blocking one.
pub async fn read_json_or<T: DeserializeOwned + Send + 'static>(
    path: impl AsRef<Path>,
    max: u64,
    default: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let path = path.as_ref().to_owned();
    run("read", path.clone(), Gate::default(), move || json::read_json_or(&path, max, default))
        .await
}

/// Changes a JSON document under a lock: see [`blocking::update_json`](crate::blocking::update_json).
///
/// # Errors
///
/// As the blocking one.
///
/// # Cancel safety
///
/// As [`AtomicFile::write`]. The function may have run.
pub async fn update_json<T, R>(
    path: impl AsRef<Path>,
    max: u64,
    change: impl FnOnce(&mut T) -> R + Send + 'static,
) -> Result<R>
where
    T: Serialize + DeserializeOwned + Default,
    R: Send + 'static,
{
    let (path, gate) = (path.as_ref().to_owned(), Gate::default());
    let job = {
        let (path, gate) = (path.clone(), gate.clone());
        move || json::update_json(&path, max, Some(gate), change)
    };
    run("update", path, gate, job).await
}

/// Removes what killed writers have left in a folder: see [`blocking::sweep_stale`](crate::blocking::sweep_stale).
///
/// # Errors
///
/// As the blocking one.
pub async fn sweep_stale(dir: impl AsRef<Path>, older_than: Duration) -> Result<usize> {
    let dir = dir.as_ref().to_owned();
    run("sweep", dir.clone(), Gate::default(), move || temp::sweep_stale(&dir, older_than)).await
}

/// Runs a job on a blocking thread, and gives it up when the future is dropped.
pub(crate) async fn run<R: Send + 'static>(
    what: &'static str,
    path: PathBuf,
    gate: Gate,
    job: impl FnOnce() -> Result<R> + Send + 'static,
) -> Result<R> {
    let task = spawn_blocking(job);
    let _given_up = GiveUp { gate, not_begun: task.abort_handle() };
    match task.await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            // The runtime ended before the job began.
            Err(error) => Err(Error::io(what, &path, io::Error::other(error))),
        },
    }
}

struct GiveUp {
    gate: Gate,
    not_begun: AbortHandle,
}

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.gate.cancel();
        self.not_begun.abort();
    }
}
