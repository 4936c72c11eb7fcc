//! Reads JSON Lines, whatever the size of the file and whatever is in it.

pub(crate) mod line;
pub(crate) mod lines;
mod salvage;
pub(crate) mod stats;

use std::{
    cell::Cell,
    collections::VecDeque,
    fmt,
    fs::File,
    marker::PhantomData,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

use self::{
    line::Line,
    lines::Lines,
    stats::{BadLine, Reason, Stats},
};
use crate::error::{Error, ErrorKind, Result};

const WHAT: &str = "read";

/// Of a line with its line feed.
const MAX_LINE: usize = 1 << 20;

/// The records of a file, one after the other, as an iterator; see [`read_jsonl`](crate::blocking::read_jsonl).
#[must_use = "nothing is read before it is iterated over"]
pub struct Reader<T> {
    pub(crate) options: Options,
    state: State,
    stats: Stats,
    /// Records of a line that was read already.
    salvaged: VecDeque<T>,
    records: PhantomData<fn() -> T>,
}

#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) path: PathBuf,
    pub(crate) max_line: usize,
    pub(crate) skips: bool,
    pub(crate) salvages: bool,
}

enum State {
    New,
    Open(Lines<File>),
    Done,
}

impl Options {
    pub(crate) fn new(path: &Path) -> Options {
        Options { path: path.to_owned(), max_line: MAX_LINE, skips: false, salvages: false }
    }

    fn open(&self) -> Result<Lines<File>> {
        let fail = |error| Error::io(WHAT, &self.path, error);
        let file = File::open(&self.path).map_err(fail)?;
        Ok(Lines::new(file, 0, self.max_line))
    }
}

impl<T> Reader<T> {
    pub(crate) fn new(options: Options) -> Reader<T> {
        Reader {
            options,
            state: State::New,
            stats: Stats::default(),
            salvaged: VecDeque::new(),
            records: PhantomData,
        }
    }

    /// The longest line in bytes, its line feed included: 1 MiB by default. A longer one is bad, and is passed over.
    pub fn max_line(mut self, bytes: usize) -> Reader<T> {
        self.options.max_line = bytes;
        self
    }

    /// Skips bad lines (malformed, too long, not UTF-8), which are counted all the same. By default each is an error, after which reading goes on.
    pub fn skip_malformed(mut self) -> Reader<T> {
        self.options.skips = true;
        self
    }

    /// Looks for records in malformed lines: for whole ones that only lack a line feed between them, and for the one that follows what was torn.
    ///
    /// A type that accepts any object can be found where there was none, inside of a string for example.
    pub fn salvage(mut self) -> Reader<T> {
        self.options.salvages = true;
        self
    }

    /// What has been read so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Shows each line to the function, until it breaks or the file ends: see [`for_each_line`](crate::blocking::for_each_line).
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn for_each_line(
        mut self,
        mut show: impl FnMut(Line<'_>) -> ControlFlow<()>,
    ) -> Result<Stats> {
        let mut lines = self.options.open()?;
        let is_bad = Cell::new(false);
        loop {
            let raw = lines.next().map_err(|error| Error::io(WHAT, &self.options.path, error))?;
            let Some(raw) = raw else { break };
            let Some(Ok(text)) = line::text(&raw, &mut self.stats) else { continue };
            is_bad.set(false);
            let flow = show(Line::new(text, raw.number, raw.offset, &is_bad));
            if is_bad.get() {
                self.stats.note(raw.number, raw.offset, Reason::Malformed);
            } else {
                self.stats.ok += 1;
            }
            if flow.is_break() {
                break;
            }
        }
        Ok(self.stats)
    }
}

impl<T: DeserializeOwned> Reader<T> {
    /// The next record or bad line.
    fn advance(&mut self) -> Result<Option<T>> {
        loop {
            if let Some(record) = self.salvaged.pop_front() {
                return Ok(Some(record));
            }
            let lines = match &mut self.state {
                State::Open(lines) => lines,
                State::New => {
                    self.state = State::Open(self.options.open()?);
                    continue;
                }
                State::Done => return Ok(None),
            };
            let fail = |error| Error::io(WHAT, &self.options.path, error);
            let Some(raw) = lines.next().map_err(fail)? else { return Ok(None) };
            let skips = self.options.skips;
            let text = match line::text(&raw, &mut self.stats) {
                None => continue,
                Some(Ok(text)) => text,
                Some(Err(_)) if skips => continue,
                Some(Err(bad)) => return Err(bad_line(&self.options.path, bad)),
            };
            match serde_json::from_str(text) {
                Ok(record) => {
                    self.stats.ok += 1;
                    return Ok(Some(record));
                }
                Err(error) => {
                    if self.options.salvages {
                        self.salvaged = salvage::salvage(text).into();
                        self.stats.salvaged += self.salvaged.len() as u64;
                    }
                    let bad = self.stats.note(raw.number, raw.offset, Reason::Malformed);
                    if !skips {
                        return Err(bad_line(&self.options.path, bad).with_source(error));
                    }
                }
            }
        }
    }
}

impl<T: DeserializeOwned> Iterator for Reader<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let next = self.advance().transpose();
        // A bad line is not the end; what the operating system says is.
        let is_last = match &next {
            None => true,
            Some(result) => result.as_ref().is_err_and(|error| error.line().is_none()),
        };
        if is_last {
            self.state = State::Done;
        }
        next
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("options", &self.options)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

fn bad_line(path: &Path, bad: BadLine) -> Error {
    let kind = match bad.reason {
        Reason::Malformed => ErrorKind::Json,
        Reason::TooLong => ErrorKind::TooLarge,
        Reason::InvalidUtf8 => ErrorKind::InvalidUtf8,
    };
    Error::new(kind, WHAT, path).at_line(bad.number, bad.offset)
}
