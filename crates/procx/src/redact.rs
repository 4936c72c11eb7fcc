//! Values that must not be shown.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

const MASK: &[u8] = b"***";
/// A shorter value is in too much of what is printed.
const SHORTEST: usize = 4;

/// Masks registered values wherever they stand.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    values: Vec<Vec<u8>>,
}

impl Redactor {
    /// Registers a value, and each of its lines: output is often looked at line by line.
    pub(crate) fn add(&mut self, value: &[u8]) {
        let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
        for part in lines.chain([value]) {
            if part.len() >= SHORTEST && !self.values.iter().any(|known| known == part) {
                self.values.push(part.to_vec());
            }
        }
    }

    /// For people: masked before it is decoded, because a value need not be UTF-8.
    pub(crate) fn os(&self, text: &OsStr) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes().to_vec())).into_owned()
    }

    pub(crate) fn bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.piece(bytes, false, false)
    }

    /// As [`bytes`](Redactor::bytes), for a piece of something longer: what can be the end of a value at its beginning, or the beginning of one at its end, is masked too.
    pub(crate) fn piece(&self, bytes: Vec<u8>, begun: bool, goes_on: bool) -> Vec<u8> {
        if self.values.is_empty() {
            return bytes;
        }
        let mut spans = Vec::new();
        for value in &self.values {
            spans.extend(occurrences(&bytes, value).map(|at| (at, at + value.len())));
            if begun && let Some(n) = overlap(value.len(), |n| bytes.starts_with(&value[n..])) {
                spans.push((0, value.len() - n));
            }
            let end = goes_on
                .then(|| overlap(value.len(), |n| bytes.ends_with(&value[..value.len() - n])));
            if let Some(n) = end.flatten() {
                spans.push((bytes.len() - (value.len() - n), bytes.len()));
            }
        }
        if spans.is_empty() { bytes } else { masked(&bytes, spans) }
    }
}

/// The fewest bytes, at least one, that a value lacks for `fits` to hold.
fn overlap(len: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
    (1..len).find(|missing| fits(*missing))
}

fn occurrences<'a>(bytes: &'a [u8], value: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let first = value[0];
    let starts = bytes.iter().enumerate().filter(move |(_, byte)| **byte == first);
    starts.map(|(at, _)| at).filter(|at| bytes[*at..].starts_with(value))
}

/// Overlapping spans become one mask, so that nothing of either shows.
fn masked(bytes: &[u8], mut spans: Vec<(usize, usize)>) -> Vec<u8> {
    spans.sort_unstable();
    let mut result = Vec::with_capacity(bytes.len());
    let mut done = 0;
    let mut spans = spans.into_iter().peekable();
    while let Some((start, mut end)) = spans.next() {
        while let Some((_, next)) = spans.next_if(|(next, _)| *next < end) {
            end = end.max(next);
        }
        result.extend_from_slice(&bytes[done..start]);
        result.extend_from_slice(MASK);
        done = end;
    }
    result.extend_from_slice(&bytes[done..]);
    result
}

#[cfg(test)]
mod tests {
    use super::Redactor;

    fn text(redactor: &Redactor, text: &str) -> String {
        redactor.os(text.as_ref())
    }

    fn redactor(values: &[&str]) -> Redactor {
        let mut redactor = Redactor::default();
        for value in values {
            redactor.add(value.as_bytes());
        }
        redactor
    }

    #[test]
    fn overlapping_values_leave_nothing_of_either() {
        assert_eq!(text(&redactor(&["abcd", "cdef"]), "<abcdef>"), "<***>");
        assert_eq!(text(&redactor(&["token", "token-123"]), "token-123 token"), "*** ***");
        assert_eq!(text(&redactor(&["aaaa"]), "aaaaaa"), "***");
    }

    #[test]
    fn a_value_that_is_cut_is_masked_on_both_sides() {
        let redactor = redactor(&["hunter22"]);
        let head = redactor.piece(b"pass hunt".to_vec(), false, true);
        let tail = redactor.piece(b"r22 done".to_vec(), true, false);
        assert_eq!((head.as_slice(), tail.as_slice()), (&b"pass ***"[..], &b"*** done"[..]));
    }

    #[test]
    fn each_line_of_a_value_counts() {
        assert_eq!(text(&redactor(&["-----BEGIN\nMIIEpQ==\r\n"]), "x MIIEpQ== y"), "x *** y");
    }

    #[test]
    fn short_values_are_not_looked_for() {
        assert_eq!(text(&redactor(&["", "a", "abc"]), "abc"), "abc");
    }
}
