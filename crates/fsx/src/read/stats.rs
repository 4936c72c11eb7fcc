//! What was read, counted.

/// How many bad lines are kept.
const KEPT: usize = 8;

/// What has been read so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// All lines.
    pub lines: u64,
    /// Lines that are a record.
    pub ok: u64,
    /// Lines of white space or NULs, which are skipped.
    pub blank: u64,
    /// Lines that are not JSON of the type.
    pub malformed: u64,
    /// Lines that are longer than the limit.
    pub too_long: u64,
    /// Lines that are not UTF-8.
    pub invalid_utf8: u64,
    /// Records that were found in malformed lines.
    pub salvaged: u64,
    /// Whether the last line lacks its line feed. It was read like the others.
    pub torn_tail: bool,
    /// All bytes.
    pub bytes: u64,
    /// The first 8 bad lines. Where they are and what is wrong, not what they contain.
    pub bad: Vec<BadLine>,
}

/// A line that is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadLine {
    /// Counted from 1.
    pub number: u64,
    /// The byte it begins at.
    pub offset: u64,
    /// What is wrong.
    pub reason: Reason,
}

/// Why a line is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It is not JSON of the type.
    Malformed,
    /// It is longer than the limit.
    TooLong,
    /// It is not UTF-8.
    InvalidUtf8,
}

impl Stats {
    pub(crate) fn note(&mut self, number: u64, offset: u64, reason: Reason) -> BadLine {
        *match reason {
            Reason::Malformed => &mut self.malformed,
            Reason::TooLong => &mut self.too_long,
            Reason::InvalidUtf8 => &mut self.invalid_utf8,
        } += 1;
        let bad = BadLine { number, offset, reason };
        if self.bad.len() < KEPT {
            self.bad.push(bad);
        }
        bad
    }
}
