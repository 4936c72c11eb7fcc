//! The end of one file, as it grows.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::{fs::OFlags, io::Errno};

use super::{
    Followed, Start,
    token::{Fingerprint, Token},
};
use crate::read::{
    line,
    lines::{Lines, last_line},
    stats::Stats,
};

#[derive(Debug)]
pub(super) struct Tail {
    lines: Lines<Source>,
    /// Where the line begins that comes next.
    offset: u64,
    /// For what counts lines; nobody sees it.
    stats: Stats,
}

/// A file that only grows. Once it does anything else, it ends where it has been read to.
#[derive(Debug)]
struct Source {
    file: File,
    is: Fingerprint,
    position: u64,
}

impl Read for Source {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(to, self.position)?;
        // Looked at afterwards: were it cut off and written anew right before, this would be the middle of another line.
        if !self.has_only_grown(self.position + read as u64)? {
            return Ok(0);
        }
        self.position += read as u64;
        Ok(read)
    }
}

impl Source {
    /// Whether what has been read up to there is still what is there.
    fn has_only_grown(&mut self, to: u64) -> io::Result<bool> {
        let grown = self.is.grown(&self.file)?;
        self.is = grown.unwrap_or(self.is);
        Ok(grown.is_some() && self.file.metadata()?.len() >= to)
    }
}

/// What a file has become while it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is still the one at the path.
    Same,
    /// It has been cut off, or written anew from the beginning.
    Truncated,
    /// Another one is at the path, or none.
    Gone,
}

impl Tail {
    /// Opens the file at the path, if there is one; and whether it is another one than the token's.
    pub(super) fn open(
        path: &Path,
        start: Start,
        max_line: usize,
    ) -> io::Result<Option<(Tail, bool)>> {
        // A pipe that nobody writes to would be waited for.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = match File::options().read(true).custom_flags(flags).open(path) {
            Err(error) if is_missing(&error) => return Ok(None),
            opened => opened?,
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(Errno::ISDIR.into());
        }
        let is = Fingerprint::of(&file)?;
        let (offset, is_other) = match start {
            Start::Beginning => (0, false),
            // Of a line that is being written, all is told once it is whole.
            Start::End => (last_line(&file, metadata.len())?, false),
            Start::Token(token) => {
                let is_it = token.file.fits(&file)? && token.offset <= metadata.len();
                if is_it { (token.offset, false) } else { (0, true) }
            }
        };
        let lines = Lines::new(Source { file, is, position: offset }, offset, max_line);
        Ok(Some((Tail { lines, offset, stats: Stats::default() }, is_other)))
    }

    pub(super) fn token(&mut self) -> Token {
        Token { file: self.lines.source().is, offset: self.offset }
    }

    /// The next line that is whole.
    pub(super) fn next(&mut self) -> io::Result<Option<Followed>> {
        loop {
            let Some(raw) = self.lines.next_whole()? else { return Ok(None) };
            self.offset = raw.offset + raw.length;
            return Ok(Some(match line::text(&raw, &mut self.stats) {
                None => continue,
                Some(Ok(text)) => Followed::Line(text.to_owned()),
                Some(Err(bad)) => Followed::Bad(bad),
            }));
        }
    }

    pub(super) fn fate(&mut self, path: &Path) -> io::Result<Fate> {
        let source = self.lines.source();
        let ours = source.file.metadata()?;
        let named = match std::fs::metadata(path) {
            Err(error) if is_missing(&error) => return Ok(Fate::Gone),
            named => named?,
        };
        Ok(if (named.dev(), named.ino()) != (ours.dev(), ours.ino()) {
            Fate::Gone
        } else if source.has_only_grown(source.position)? {
            Fate::Same
        } else {
            Fate::Truncated
        })
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
