//! A line that may be a record.

use std::{cell::Cell, fmt, str};

use serde::Deserialize;

use super::{
    lines::Raw,
    stats::{BadLine, Reason, Stats},
};

/// A line of a file, lent from the buffer it was read to: not blank, not too long, and UTF-8.
///
/// A line feed, a carriage return before it, a byte order mark at the beginning of the file, and NULs around the line, which file systems leave after
/// a loss of power, are not part of it.
pub struct Line<'a> {
    text: &'a str,
    number: u64,
    offset: u64,
    is_bad: &'a Cell<bool>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(text: &'a str, number: u64, offset: u64, is_bad: &'a Cell<bool>) -> Line<'a> {
        Line { text, number, offset, is_bad }
    }

    /// The text.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// Its number, counted from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The byte it begins at.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads it as JSON. The value may borrow from it, so that nothing is copied.
    ///
    /// # Errors
    ///
    /// If it is not JSON of the type; it is then counted as malformed.
    pub fn parse<T: Deserialize<'a>>(&self) -> serde_json::Result<T> {
        let parsed = serde_json::from_str(self.text);
        self.is_bad.set(parsed.is_err());
        parsed
    }
}

impl fmt::Debug for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("number", &self.number)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

/// What can be a record of a line: none if it is blank, and an error if it cannot be one. It is counted.
pub(crate) fn text<'a>(raw: &Raw<'a>, stats: &mut Stats) -> Option<Result<&'a str, BadLine>> {
    stats.lines += 1;
    stats.bytes += raw.length;
    let Some(bytes) = raw.bytes else {
        stats.torn_tail |= !raw.is_ended;
        return Some(Err(stats.note(raw.number, raw.offset, Reason::TooLong)));
    };
    let bytes = trim(bytes, raw.offset == 0);
    if bytes.is_empty() {
        stats.blank += 1;
        return None;
    }
    stats.torn_tail |= !raw.is_ended;
    Some(match str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) => Err(stats.note(raw.number, raw.offset, Reason::InvalidUtf8)),
    })
}

fn trim(bytes: &[u8], is_first: bool) -> &[u8] {
    let mut bytes = bytes;
    if is_first {
        bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    }
    while let [0 | b' ' | b'\t' | b'\r', rest @ ..] | [rest @ .., 0 | b' ' | b'\t' | b'\r'] = bytes
    {
        bytes = rest;
    }
    bytes
}
