//! Lines of any file in bounded memory.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt as _,
};

/// How much is read at once; a longer line makes the buffer grow, up to the limit.
const BLOCK: usize = 64 << 10;

/// Splits what it reads into lines, and lends them from its buffer.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    source: R,
    buffer: Vec<u8>,
    /// What has been read and not been handed out.
    begin: usize,
    end: usize,
    /// Where the line begins that comes next, in the source.
    offset: u64,
    number: u64,
    /// How much of that line has been passed over, because it is too long.
    skipped: u64,
    /// Of a line with its line feed.
    max: usize,
    at_end: bool,
}

/// A line, without its line feed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Raw<'a> {
    /// None: it is longer than the limit.
    pub(crate) bytes: Option<&'a [u8]>,
    pub(crate) number: u64,
    pub(crate) offset: u64,
    /// With its line feed.
    pub(crate) length: u64,
    /// Whether it had a line feed.
    pub(crate) is_ended: bool,
}

impl<R: Read> Lines<R> {
    /// From this offset of the source on, to which the source has been moved.
    pub(crate) fn new(source: R, offset: u64, max: usize) -> Lines<R> {
        let buffer = Vec::new();
        Lines {
            source,
            buffer,
            begin: 0,
            end: 0,
            offset,
            number: 0,
            skipped: 0,
            max,
            at_end: false,
        }
    }

    /// The next line. The last one can lack its line feed; what comes after it later is not seen.
    pub(crate) fn next(&mut self) -> io::Result<Option<Raw<'_>>> {
        if let Some(length) = self.search()? {
            return Ok(Some(self.hand_out(length, true)));
        }
        let rest = self.end - self.begin;
        Ok((rest > 0 || self.skipped > 0).then(|| self.hand_out(rest, false)))
    }

    /// The next line that is whole. When there is none, there may be one later.
    #[cfg(feature = "watch")]
    pub(crate) fn next_whole(&mut self) -> io::Result<Option<Raw<'_>>> {
        self.at_end = false;
        Ok(self.search()?.map(|length| self.hand_out(length, true)))
    }

    #[cfg(feature = "watch")]
    pub(crate) fn source(&mut self) -> &mut R {
        &mut self.source
    }

    /// Reads up to a line feed, and returns how much of the buffer that is. None: the source ends before.
    fn search(&mut self) -> io::Result<Option<usize>> {
        let mut searched = 0;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[self.begin + searched..self.end]) {
                return Ok(Some(searched + at + 1));
            }
            searched = self.end - self.begin;
            if searched >= self.max || self.skipped > 0 {
                self.skipped += searched as u64;
                self.begin = self.end;
                searched = 0;
            }
            if self.at_end {
                return Ok(None);
            }
            self.fill()?;
        }
    }

    fn hand_out(&mut self, length: usize, is_ended: bool) -> Raw<'_> {
        let begin = self.begin;
        self.begin += length;
        let is_too_long = self.skipped > 0 || length > self.max;
        let bytes = &self.buffer[begin..begin + length - usize::from(is_ended)];
        let raw = Raw {
            bytes: (!is_too_long).then_some(bytes),
            number: self.number + 1,
            offset: self.offset,
            length: self.skipped + length as u64,
            is_ended,
        };
        self.number = raw.number;
        self.offset += raw.length;
        self.skipped = 0;
        raw
    }

    /// Reads more, and makes room for it first.
    fn fill(&mut self) -> io::Result<()> {
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
        if self.end == self.buffer.len() {
            if self.begin > 0 {
                self.buffer.copy_within(self.begin..self.end, 0);
                (self.begin, self.end) = (0, self.end - self.begin);
            } else {
                // Never more than the limit and one block, and without a copy of what a doubling would throw away.
                let larger = (self.buffer.len() * 2).clamp(BLOCK, self.max.saturating_add(BLOCK));
                self.buffer.reserve_exact(larger - self.buffer.len());
                self.buffer.resize(larger, 0);
            }
        }
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => {
                    let read = read?;
                    self.end += read;
                    self.at_end = read == 0;
                    return Ok(());
                }
            }
        }
    }
}

/// Where the line begins that a file ends with, when it is so long.
pub(crate) fn last_line(file: &File, end: u64) -> io::Result<u64> {
    let mut block = vec![0; BLOCK];
    let mut to = end;
    while to > 0 {
        let from = to.saturating_sub(BLOCK as u64);
        let block = &mut block[..usize::try_from(to - from).unwrap_or(BLOCK)];
        file.read_exact_at(block, from)?;
        if let Some(at) = memchr::memrchr(b'\n', block) {
            return Ok(from + at as u64 + 1);
        }
        to = from;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use proptest::prelude::*;

    use super::{BLOCK, Lines};

    /// Gives a few bytes at a time, with interruptions.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1.is_multiple_of(3) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let len = to.len().min(self.1 % 5 + 1);
            self.0.read(&mut to[..len])
        }
    }

    type Line = (Option<Vec<u8>>, u64, u64, bool);

    fn lines(source: impl Read, max: usize) -> Vec<Line> {
        let mut lines = Lines::new(source, 0, max);
        let mut all = Vec::new();
        while let Some(raw) = lines.next().expect("it can be read") {
            all.push((raw.bytes.map(<[u8]>::to_vec), raw.number, raw.offset, raw.is_ended));
        }
        all
    }

    /// The same, the obvious way.
    fn plain(bytes: &[u8], max: usize) -> Vec<Line> {
        let (mut offset, mut all) = (0, Vec::new());
        for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            let content = line.strip_suffix(b"\n");
            let is_ended = content.is_some();
            let fits = line.len() + usize::from(!is_ended) <= max;
            all.push((fits.then(|| content.unwrap_or(line).to_vec()), number, offset, is_ended));
            offset += line.len() as u64;
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn lines_are_those_of_a_plain_split(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
            max in 1..20_usize,
        ) {
            prop_assert_eq!(lines(Slow(&bytes, 0), max), plain(&bytes, max));
            prop_assert_eq!(lines(&bytes[..], max), plain(&bytes, max));
        }
    }

    #[test]
    fn buffer_is_bounded_whatever_the_line() {
        let mut lines = Lines::new(io::repeat(b'x').take(50 << 20), 0, 1 << 20);
        let raw = lines.next().expect("it can be read").expect("a line");
        assert_eq!((raw.bytes, raw.length), (None, 50 << 20));
        assert!(lines.buffer.capacity() <= (1 << 20) + BLOCK);
    }
}
