//! The records of a file as a stream: a blocking thread reads ahead, a little.

use std::{
    fmt,
    future::poll_fn,
    io, mem,
    ops::ControlFlow,
    path::Path,
    pin::Pin,
    task::{Context, Poll},
    vec,
};

use futures_core::Stream;
use serde::de::DeserializeOwned;
use tokio::task::spawn_blocking;

use crate::{
    error::{Error, Result},
    front::run,
    gate::Gate,
    handoff::{Receiver, Sender, handoff},
    read::{self, Options, line::Line, stats::Stats},
};

/// How much is handed over at once: so many results, or those of so many bytes.
const BATCH: usize = 256;
const BATCH_BYTES: u64 = 64 << 10;

/// How many batches may wait.
const AHEAD: usize = 2;

/// Reads the records of a JSON Lines file as a stream: see [`blocking::read_jsonl`](crate::blocking::read_jsonl).
///
/// At most three batches of 256 results, or of lines of 64 KiB together, are in memory beside the buffer. Dropping the stream ends the reading.
///
/// ```
/// # async fn example() -> underpin_fsx::Result<()> {
/// let mut logins = underpin_fsx::read_jsonl::<serde_json::Value>("activity.jsonl").skip_malformed();
/// while let Some(login) = logins.next().await {
///     println!("{}", login?);
/// }
/// println!("{} lines were skipped", logins.stats().malformed);
/// # Ok(())
/// # }
/// ```
pub fn read_jsonl<T: DeserializeOwned + Send + 'static>(path: impl AsRef<Path>) -> Reader<T> {
    Reader {
        state: State::New(Options::new(path.as_ref())),
        ready: Vec::new().into_iter(),
        stats: Stats::default(),
    }
}

/// Shows each line of a file to a function, on a blocking thread: see [`blocking::for_each_line`](crate::blocking::for_each_line).
///
/// # Errors
///
/// As the blocking one.
///
/// # Cancel safety
///
/// Dropped, it shows no more lines.
pub async fn for_each_line(
    path: impl AsRef<Path>,
    mut show: impl FnMut(Line<'_>) -> ControlFlow<()> + Send + 'static,
) -> Result<Stats> {
    let (path, gate) = (path.as_ref().to_owned(), Gate::default());
    let given_up = gate.clone();
    run("read", path.clone(), gate, move || {
        read::Reader::<()>::new(Options::new(&path)).for_each_line(|line| {
            if given_up.is_cancelled() { ControlFlow::Break(()) } else { show(line) }
        })
    })
    .await
}

/// The records of a file, as a stream; the async form of [`blocking::Reader`](crate::blocking::Reader).
#[must_use = "nothing is read before it is polled"]
pub struct Reader<T> {
    state: State<T>,
    ready: vec::IntoIter<Result<T>>,
    stats: Stats,
}

enum State<T> {
    New(Options),
    Reading(Options, Receiver<Batch<T>>),
    Done,
}

struct Batch<T> {
    results: Vec<Result<T>>,
    stats: Stats,
    is_last: bool,
}

impl<T: DeserializeOwned + Send + 'static> Reader<T> {
    /// The longest line in bytes, its line feed included: 1 MiB by default. A longer one is bad, and is passed over.
    pub fn max_line(self, bytes: usize) -> Reader<T> {
        self.with(|options| options.max_line = bytes)
    }

    /// Skips bad lines (malformed, too long, not UTF-8), which are counted all the same. By default each is an error, after which reading goes on.
    pub fn skip_malformed(self) -> Reader<T> {
        self.with(|options| options.skips = true)
    }

    /// Looks for records in malformed lines: see [`blocking::Reader::salvage`](crate::blocking::Reader::salvage).
    pub fn salvage(self) -> Reader<T> {
        self.with(|options| options.salvages = true)
    }

    /// What has been read so far, a batch ahead of what has been returned.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The next record, or what is wrong with a line.
    ///
    /// # Errors
    ///
    /// As those of the items of [`blocking::read_jsonl`](crate::blocking::read_jsonl).
    ///
    /// # Cancel safety
    ///
    /// Dropped, nothing is lost.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, the first time.
    pub async fn next(&mut self) -> Option<Result<T>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    fn with(mut self, set: impl FnOnce(&mut Options)) -> Reader<T> {
        if let State::New(options) = &mut self.state {
            set(options);
        }
        self
    }
}

impl<T> Unpin for Reader<T> {}

impl<T: DeserializeOwned + Send + 'static> Stream for Reader<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let this = &mut *self;
        loop {
            if let Some(result) = this.ready.next() {
                return Poll::Ready(Some(result));
            }
            this.state = match mem::replace(&mut this.state, State::Done) {
                State::New(options) => {
                    let (sender, receiver) = handoff(AHEAD);
                    let reader = read::Reader::new(options.clone());
                    spawn_blocking(move || send(reader, &sender));
                    State::Reading(options, receiver)
                }
                State::Reading(options, receiver) => {
                    let Poll::Ready(batch) = receiver.poll_next(cx) else {
                        this.state = State::Reading(options, receiver);
                        return Poll::Pending;
                    };
                    // It panicked in the user's code, or the runtime ended before it began: not the end of the file.
                    let Some(batch) = batch else {
                        let stopped = io::Error::other("the reading thread has stopped");
                        return Poll::Ready(Some(Err(Error::io("read", &options.path, stopped))));
                    };
                    this.ready = batch.results.into_iter();
                    this.stats = batch.stats;
                    if batch.is_last { State::Done } else { State::Reading(options, receiver) }
                }
                State::Done => return Poll::Ready(None),
            };
        }
    }
}

fn send<T: DeserializeOwned>(mut reader: read::Reader<T>, to: &Sender<Batch<T>>) {
    loop {
        let begin = reader.stats().bytes;
        let mut results = Vec::new();
        let is_last = loop {
            match reader.next() {
                Some(result) => results.push(result),
                None => break true,
            }
            if results.len() >= BATCH || reader.stats().bytes - begin >= BATCH_BYTES {
                break false;
            }
        };
        let batch = Batch { results, stats: reader.stats().clone(), is_last };
        if !to.send(batch) || is_last {
            return;
        }
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("stats", &self.stats).finish_non_exhaustive()
    }
}
