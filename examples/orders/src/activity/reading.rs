//! Reads the log, in memory that does not depend on its size.

use std::{
    fs::{self, File},
    io,
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::body::Bytes;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use serde_json::value::RawValue;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::spawn_blocking,
    time::timeout,
};
use underpin_fault::{Fault, Kind};
use underpin_fsx::read_jsonl;
use underpin_tasks::Nursery;

use super::{
    recorder::{FILE, KEPT},
    tell_of_failure,
};
use crate::tell;

/// Readers at the same time. Each has a blocking thread and some 64 KiB.
const MOST: usize = 8;
/// How much is handed over at once, or one record.
const CHUNK: usize = 64 << 10;
/// How long a client may take for a chunk. Then it makes room for others.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Readers {
    path: PathBuf,
    places: Arc<Semaphore>,
    tasks: Nursery,
    /// Lines that were skipped by whoever read last: what was said before is not said again.
    skipped: Arc<AtomicU64>,
}

/// The records as they are in the files, a line each.
pub(crate) type Records = BoxStream<'static, io::Result<Bytes>>;

/// What a reader hands over. Without an end, something has gone wrong.
enum Piece {
    Lines(Bytes),
    End,
}

impl Readers {
    pub(super) fn new(folder: &Path) -> Readers {
        Readers {
            path: folder.join(FILE),
            places: Arc::new(Semaphore::new(MOST)),
            tasks: Nursery::new().on_outcome(tell_of_failure),
            skipped: Arc::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.places.available_permits()
    }

    pub(super) async fn read(&self) -> Result<Records, Fault> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            Fault::new(Kind::Unavailable, "ACTIVITY_BUSY")
                .message("too many read the activity log: try again later")
                .retry_after(Duration::from_secs(1))
        })?;
        let path = self.path.clone();
        let files = spawn_blocking(move || pin(&path)).await.map_err(io::Error::other);
        let failed = |error| Fault::new(Kind::Internal, "ACTIVITY_FAILED").caused_by(error);
        let files = files.and_then(|files| files).map_err(failed)?;
        let (to, pieces) = mpsc::channel(1);
        // A task, because only a task notices that nobody asks for more.
        self.tasks.spawn("activity reader", pump(files, to, Arc::clone(&self.skipped), place));
        let records = stream::unfold(Some(pieces), async |pieces| {
            let mut pieces = pieces?;
            match pieces.recv().await {
                Some(Piece::Lines(lines)) => Some((Ok(lines), Some(pieces))),
                Some(Piece::End) => None,
                // So that nobody takes the part for the whole.
                None => Some((Err(io::Error::other("the log could not be read to its end")), None)),
            }
        });
        Ok(records.boxed())
    }
}

/// The files there are, the oldest first. They are held open, because a rotation gives another one the name.
fn pin(path: &Path) -> io::Result<Vec<File>> {
    let full = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    let names: Vec<PathBuf> = (1..=KEPT).rev().map(full).chain([path.to_owned()]).collect();
    loop {
        let files: Vec<Option<File>> =
            names.iter().map(|name| there(File::open(name))).collect::<io::Result<_>>()?;
        let opened = files.iter().map(|file| file.as_ref().map(File::metadata).transpose());
        let there_now = names.iter().map(|name| there(fs::metadata(name)));
        let is_same = opened.zip(there_now).try_fold(true, |is_same, (opened, now)| {
            let id = |file: fs::Metadata| (file.dev(), file.ino());
            io::Result::Ok(is_same && opened?.map(id) == now?.map(id))
        });
        // Otherwise they were renamed meanwhile, and one of them may have been missed.
        if is_same? {
            return Ok(files.into_iter().flatten().collect());
        }
    }
}

fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// Reads the files to their ends, and hands over what is in them as long as somebody takes it.
async fn pump(
    files: Vec<File>,
    to: mpsc::Sender<Piece>,
    skipped_before: Arc<AtomicU64>,
    _place: OwnedSemaphorePermit,
) -> Result<(), underpin_fsx::Error> {
    let mut skipped = 0;
    let mut chunk = Vec::new();
    for file in files {
        // The file itself, whatever its name is by now. As text, because what another version has written is passed on as it is.
        let mut records =
            read_jsonl::<Box<RawValue>>(format!("/dev/fd/{}", file.as_raw_fd())).skip_malformed();
        while let Some(record) = records.next().await {
            chunk.extend_from_slice(record?.get().as_bytes());
            chunk.push(b'\n');
            if chunk.len() >= CHUNK
                && !give(&to, Piece::Lines(std::mem::take(&mut chunk).into())).await
            {
                return Ok(());
            }
        }
        let stats = records.stats();
        skipped += stats.malformed + stats.too_long + stats.invalid_utf8;
    }
    if give(&to, Piece::Lines(chunk.into())).await {
        give(&to, Piece::End).await;
    }
    if skipped_before.swap(skipped, Ordering::Relaxed) != skipped {
        tell(&format!("activity log: {skipped} lines are no records, and were skipped"));
    }
    Ok(())
}

/// Whether it was taken.
async fn give(to: &mpsc::Sender<Piece>, piece: Piece) -> bool {
    matches!(timeout(PATIENCE, to.send(piece)).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, os::unix::fs::FileExt as _, thread};

    use super::*;

    const ROTATIONS: u64 = 500;

    /// As a log does it, but all the time. Each file has its number in it.
    fn rotate(path: &Path, number: u64) -> io::Result<()> {
        let full = |number: u32| PathBuf::from(format!("{}.{number}", path.display()));
        let new = path.with_extension("new");
        File::options()
            .create_new(true)
            .write(true)
            .open(&new)?
            .write_all(&number.to_be_bytes())?;
        for number in (1..KEPT).rev() {
            there(fs::rename(full(number), full(number + 1)))?;
        }
        there(fs::rename(path, full(1)))?;
        fs::rename(new, path)
    }

    #[test]
    fn no_file_is_missed_between_two_whatever_is_renamed_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let is_over = || fs::exists(dir.path().join("over")).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                (0..ROTATIONS).for_each(|number| rotate(&path, number).unwrap());
                File::options().create_new(true).write(true).open(dir.path().join("over")).unwrap();
            });
            while !is_over() {
                let numbers = pin(&path).unwrap().into_iter().map(|file| {
                    let mut number = [0; 8];
                    file.read_exact_at(&mut number, 0).unwrap();
                    u64::from_be_bytes(number)
                });
                let numbers: Vec<u64> = numbers.collect();
                assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
            }
        });
        assert_eq!(pin(&path).unwrap().len(), 4);
    }
}
