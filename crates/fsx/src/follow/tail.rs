//! The end of one file, as it grows.

use std::{
    fs::File,
    io::{self, Seek as _, SeekFrom},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
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
    lines: Lines<File>,
    file: Fingerprint,
    /// Where the line begins that comes next.
    offset: u64,
    /// For what counts lines; nobody sees it.
    stats: Stats,
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
        let mut source = match File::options().read(true).custom_flags(flags).open(path) {
            Err(error) if is_missing(&error) => return Ok(None),
            opened => opened?,
        };
        let metadata = source.metadata()?;
        if !metadata.is_file() {
            return Err(Errno::ISDIR.into());
        }
        let file = Fingerprint::of(&source)?;
        let (offset, is_other) = match start {
            Start::Beginning => (0, false),
            // Of a line that is being written, all is told once it is whole.
            Start::End => (last_line(&source, metadata.len())?, false),
            Start::Token(token) => {
                let is_it = token.file.fits(&source)? && token.offset <= metadata.len();
                if is_it { (token.offset, false) } else { (0, true) }
            }
        };
        source.seek(SeekFrom::Start(offset))?;
        let lines = Lines::new(source, offset, max_line);
        Ok(Some((Tail { lines, file, offset, stats: Stats::default() }, is_other)))
    }

    pub(super) fn token(&self) -> Token {
        Token { file: self.file, offset: self.offset }
    }

    /// The next line that is whole.
    pub(super) fn next(&mut self) -> io::Result<Option<Followed>> {
        loop {
            let Some(raw) = self.lines.next_whole()? else { return Ok(None) };
            self.offset = raw.offset + raw.length;
            let followed = match line::text(&raw, &mut self.stats) {
                None => continue,
                Some(Ok(text)) => Followed::Line(text.to_owned()),
                Some(Err(bad)) => Followed::Bad(bad),
            };
            if !self.file.is_whole() {
                self.file = Fingerprint::of(self.lines.source())?;
            }
            return Ok(Some(followed));
        }
    }

    pub(super) fn fate(&self, path: &Path) -> io::Result<Fate> {
        let ours = self.lines.source().metadata()?;
        let named = match std::fs::metadata(path) {
            Err(error) if is_missing(&error) => return Ok(Fate::Gone),
            named => named?,
        };
        Ok(if (named.dev(), named.ino()) != (ours.dev(), ours.ino()) {
            Fate::Gone
        } else if ours.len() < self.lines.position() || !self.file.fits(self.lines.source())? {
            Fate::Truncated
        } else {
            Fate::Same
        })
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
