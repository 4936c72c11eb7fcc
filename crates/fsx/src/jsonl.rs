//! A log of records, one JSON value a line.

mod encode;
mod log;
mod queue;
mod writer;

use std::{
    fmt,
    future::poll_fn,
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;

use self::queue::Queue;
use crate::{
    error::Result,
    ticket::{Ticket, Wait, block_on},
};

pub(crate) const WHAT: &str = "append to";

/// When appended records are flushed to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flush {
    /// Before they are acknowledged: they survive a loss of power. Those that wait at the same time share a flush.
    #[default]
    Always,
    /// At most so much later: they survive a crash or kill of the process, and a loss of power takes at most the last ones.
    Every(Duration),
    /// When the operating system likes.
    Never,
}

/// What to do with a file that ends in the middle of a record, because whoever wrote it was killed or ran out of space.
///
/// An end that is a whole record without its line feed gets one, whatever is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Repair {
    /// Ends the line, so that readers count it as malformed and the next record is whole. No byte is lost.
    #[default]
    Isolate,
    /// Moves it to a file `{name}.torn-{offset}`.
    Quarantine,
    /// Fails with [`ErrorKind::Torn`](crate::ErrorKind::Torn).
    Refuse,
}

/// An end that was repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repaired {
    /// Where the line begins.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
    /// Whether it was a whole record, and lacked only its line feed.
    pub complete: bool,
}

/// Appends records of a type to a file, as JSON Lines; the blocking form is [`blocking::Jsonl`](crate::blocking::Jsonl).
///
/// Clones share the file and the thread `fsx-jsonl`, which writes and flushes for all of them: what is appended at the same time shares a write and a flush. No
/// runtime is needed. Several processes may append to one file; each write is made under a lock on it, and mends an end that another one has torn.
///
/// When the last clone is dropped, the thread writes what is queued and ends; [`close`](Jsonl::close) waits for that.
///
/// ```
/// # async fn example() -> underpin_fsx::Result<()> {
/// use underpin_fsx::Jsonl;
///
/// #[derive(serde::Serialize)]
/// struct Login { user: u64 }
///
/// // Each record gets an `id` and a `timestamp`.
/// let log: Jsonl<Login> = Jsonl::at("activity.jsonl").stamped().open().await?;
/// log.append(&Login { user: 7 }).await?; // on the disk
/// # Ok(())
/// # }
/// ```
pub struct Jsonl<T>(Core<T>);

/// The blocking form of [`Jsonl`](crate::Jsonl).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("activity.jsonl");
/// use underpin_fsx::blocking::Jsonl;
///
/// let log: Jsonl<Vec<u32>> = Jsonl::at(&path).open()?;
/// log.append(&vec![1, 2])?;
/// log.append(&vec![3])?;
/// assert_eq!(std::fs::read_to_string(&path)?, "[1,2]\n[3]\n");
/// # Ok(())
/// # }
/// ```
pub struct BlockingJsonl<T>(Core<T>);

/// How to append to a file: what is flushed when, what is repaired how, and how much may wait.
#[must_use = "nothing is opened before `open`"]
pub struct Builder<J> {
    options: Options,
    opens: PhantomData<fn() -> J>,
}

#[derive(Debug, Clone)]
pub(crate) struct Options {
    path: PathBuf,
    flush: Flush,
    repair: Repair,
    rotate: Option<(u64, u32)>,
    stamped: bool,
    max_record: usize,
    max_queued: usize,
    max_queued_bytes: usize,
}

impl<J> Builder<J> {
    fn at(path: &Path) -> Builder<J> {
        let options = Options {
            path: path.to_owned(),
            flush: Flush::default(),
            repair: Repair::default(),
            rotate: None,
            stamped: false,
            max_record: 1 << 20,
            max_queued: 1024,
            max_queued_bytes: 4 << 20,
        };
        Builder { options, opens: PhantomData }
    }

    /// When records are flushed; before they are acknowledged by default.
    pub fn flush(mut self, flush: Flush) -> Self {
        self.options.flush = flush;
        self
    }

    /// What to do with an end that is torn; it becomes a line of its own by default.
    pub fn repair(mut self, repair: Repair) -> Self {
        self.options.repair = repair;
        self
    }

    /// Puts an `id` (a random UUID) and a `timestamp` (UTC, ISO 8601, milliseconds) in front of the fields of each record.
    ///
    /// Records must then be JSON objects, and should not have fields of these names.
    pub fn stamped(mut self) -> Self {
        self.options.stamped = true;
        self
    }

    /// Begins a new file before the old one gets larger than this, and keeps so many old ones (at least one), as `{name}.1` (the youngest), `{name}.2` and so on.
    ///
    /// All processes that append to the file should ask for the same. A process that does not ask follows all the same.
    pub fn rotate(mut self, bytes: u64, keep: u32) -> Self {
        self.options.rotate = Some((bytes, keep.max(1)));
        self
    }

    /// The longest record in bytes, its line feed included: 1 MiB by default. Readers have the same limit.
    pub fn max_record(mut self, bytes: usize) -> Self {
        self.options.max_record = bytes;
        self
    }

    /// How many records, and bytes of them, may wait to be written: 1,024 and 4 MiB by default. A record larger than that waits alone.
    pub fn queue(mut self, records: usize, bytes: usize) -> Self {
        self.options.max_queued = records.max(1);
        self.options.max_queued_bytes = bytes;
        self
    }
}

impl<T: Serialize> Builder<Jsonl<T>> {
    /// Opens the file, creates it if it is missing, and repairs its end.
    ///
    /// # Errors
    ///
    /// What the operating system says; [`ErrorKind::Torn`](crate::ErrorKind::Torn) with [`Repair::Refuse`].
    ///
    /// # Cancel safety
    ///
    /// Dropped, it is opened, repaired and closed.
    pub async fn open(self) -> Result<Jsonl<T>> {
        Core::open(self.options).await.map(Jsonl)
    }
}

impl<T: Serialize> Builder<BlockingJsonl<T>> {
    /// Opens the file, creates it if it is missing, and repairs its end.
    ///
    /// # Errors
    ///
    /// What the operating system says; [`ErrorKind::Torn`](crate::ErrorKind::Torn) with [`Repair::Refuse`].
    pub fn open(self) -> Result<BlockingJsonl<T>> {
        block_on(Core::open(self.options)).map(BlockingJsonl)
    }
}

impl<T: Serialize> Jsonl<T> {
    /// The file at this path, which may exist. Its folder has to. A symbolic link is followed once, when it is opened.
    pub fn at(path: impl AsRef<Path>) -> Builder<Jsonl<T>> {
        Builder::at(path.as_ref())
    }

    /// Appends a record, and returns when it is as safe as [`Flush`] says.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](crate::ErrorKind::TooLarge) or [`Json`](crate::ErrorKind::Json), before anything is written;
    /// [`NoSpace`](crate::ErrorKind::NoSpace) and the like, when the file is as it was before; a flush that failed, whose
    /// [`state`](crate::Error::state) is [`NotDurable`](crate::State::NotDurable), and [`Poisoned`](crate::ErrorKind::Poisoned) ever after.
    ///
    /// # Cancel safety
    ///
    /// Dropped before there is room in the queue, nothing is written; after that, the record is.
    pub async fn append(&self, record: &T) -> Result<()> {
        self.0.append(self.0.encode(record)?).await
    }

    /// Queues a record if there is room, and does not wait for what becomes of it.
    ///
    /// # Errors
    ///
    /// [`QueueFull`](crate::ErrorKind::QueueFull), [`TooLarge`](crate::ErrorKind::TooLarge), [`Json`](crate::ErrorKind::Json),
    /// [`Poisoned`](crate::ErrorKind::Poisoned), [`Closed`](crate::ErrorKind::Closed).
    pub fn try_append(&self, record: &T) -> Result<()> {
        self.0.try_append(record)
    }

    /// The end that was repaired last, when the file was opened or since.
    pub fn repaired(&self) -> Option<Repaired> {
        self.0.queue().repaired()
    }

    /// Writes what is queued, flushes it unless that is [`Flush::Never`], and closes the file for all clones.
    ///
    /// # Errors
    ///
    /// That of a flush that failed.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it is closed all the same; nobody waits for it.
    pub async fn close(self) -> Result<()> {
        self.0.queue().close().await
    }
}

impl<T: Serialize> BlockingJsonl<T> {
    /// The file at this path, which may exist. Its folder has to. A symbolic link is followed once, when it is opened.
    pub fn at(path: impl AsRef<Path>) -> Builder<BlockingJsonl<T>> {
        Builder::at(path.as_ref())
    }

    /// Appends a record, and returns when it is as safe as [`Flush`] says.
    ///
    /// # Errors
    ///
    /// As [`Jsonl::append`](crate::Jsonl::append).
    pub fn append(&self, record: &T) -> Result<()> {
        block_on(self.0.append(self.0.encode(record)?))
    }

    /// Queues a record if there is room, and does not wait for what becomes of it.
    ///
    /// # Errors
    ///
    /// As [`Jsonl::try_append`](crate::Jsonl::try_append).
    pub fn try_append(&self, record: &T) -> Result<()> {
        self.0.try_append(record)
    }

    /// The end that was repaired last, when the file was opened or since.
    pub fn repaired(&self) -> Option<Repaired> {
        self.0.queue().repaired()
    }

    /// Writes what is queued, flushes it unless that is [`Flush::Never`], and closes the file for all clones.
    ///
    /// # Errors
    ///
    /// That of a flush that failed.
    pub fn close(self) -> Result<()> {
        block_on(self.0.queue().close())
    }
}

/// What both forms are made of.
struct Core<T> {
    handle: Arc<Handle>,
    records: PhantomData<fn(&T)>,
}

/// Shared by all clones; the last one ends the thread.
struct Handle {
    queue: Arc<Queue>,
    options: Options,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.stop();
    }
}

impl<T: Serialize> Core<T> {
    async fn open(options: Options) -> Result<Core<T>> {
        let queue = Arc::new(Queue::new(&options));
        let opened = Ticket::new();
        writer::spawn(&options, Arc::clone(&queue), Arc::clone(&opened))?;
        // Before the wait: dropped there, it ends the thread.
        let handle = Arc::new(Handle { queue, options });
        Wait::new(opened).await?;
        Ok(Core { handle, records: PhantomData })
    }

    fn encode(&self, record: &T) -> Result<Vec<u8>> {
        encode::encode(record, &self.handle.options)
    }

    async fn append(&self, record: Vec<u8>) -> Result<()> {
        let ticket = poll_fn(|cx| self.queue().poll_push(cx, &record)).await?;
        Wait::new(ticket).await
    }

    fn try_append(&self, record: &T) -> Result<()> {
        self.queue().try_push(&self.encode(record)?).map(|_| ())
    }
}

impl<T> Core<T> {
    fn queue(&self) -> &Queue {
        &self.handle.queue
    }

    fn share(&self) -> Core<T> {
        Core { handle: Arc::clone(&self.handle), records: PhantomData }
    }
}

impl<T> Clone for Jsonl<T> {
    fn clone(&self) -> Jsonl<T> {
        Jsonl(self.0.share())
    }
}

impl<T> Clone for BlockingJsonl<T> {
    fn clone(&self) -> BlockingJsonl<T> {
        BlockingJsonl(self.0.share())
    }
}

impl<T> fmt::Debug for Jsonl<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Jsonl").field(&self.0.handle.options.path).finish()
    }
}

impl<T> fmt::Debug for BlockingJsonl<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Jsonl").field(&self.0.handle.options.path).finish()
    }
}

impl<J> fmt::Debug for Builder<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Builder").field(&self.options).finish()
    }
}
