//! What is kept of what a child prints.

use std::{borrow::Cow, fmt};

use crate::redact::Redactor;

const HEAD: usize = 64 << 10;
const TAIL: usize = 192 << 10;

/// How much of each of the two streams is kept; the rest is read, counted and dropped, so that the child never waits.
///
/// The default is the first 64 KiB and the last 192 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capture {
    pub(crate) head: usize,
    pub(crate) tail: usize,
    pub(crate) reads: bool,
}

impl Default for Capture {
    fn default() -> Capture {
        Capture::ends(HEAD, TAIL)
    }
}

impl Capture {
    /// The first and the last bytes, up to so many of each.
    #[must_use]
    pub fn ends(head: usize, tail: usize) -> Capture {
        Capture { head, tail, reads: true }
    }

    /// All of it, up to this many bytes. What comes after them is dropped, and the result says so.
    #[must_use]
    pub fn whole(limit: usize) -> Capture {
        Capture::ends(limit, 0)
    }

    /// Nothing: both streams go to `/dev/null`, and an error has no last line.
    #[must_use]
    pub fn none() -> Capture {
        Capture { head: 0, tail: 0, reads: false }
    }
}

/// What was kept of one stream. Registered secrets are masked in it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Captured {
    head: Vec<u8>,
    tail: Vec<u8>,
    total: u64,
    omitted: u64,
}

impl Captured {
    pub(crate) fn of(bytes: Vec<u8>) -> Captured {
        Captured { total: bytes.len() as u64, head: bytes, tail: Vec::new(), omitted: 0 }
    }

    /// The beginning; all of it if nothing was omitted.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// What comes after the omission; empty if there is none.
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Everything, or nothing if it was [truncated](Captured::truncated).
    pub fn bytes(&self) -> Option<&[u8]> {
        (!self.truncated()).then_some(&self.head)
    }

    /// Text, with `... 12.3 MB omitted ...` on a line of its own where something is missing.
    ///
    /// It is decoded once, so no character is cut by a read; what is not UTF-8 becomes U+FFFD.
    pub fn text(&self) -> Cow<'_, str> {
        if !self.truncated() {
            return String::from_utf8_lossy(&self.head);
        }
        let head = String::from_utf8_lossy(without_cut_end(&self.head));
        let tail = String::from_utf8_lossy(without_cut_start(&self.tail));
        let newline = if head.is_empty() || head.ends_with('\n') { "" } else { "\n" };
        Cow::Owned(format!("{head}{newline}... {} omitted ...\n{tail}", Size(self.omitted)))
    }

    /// How many bytes were printed, kept or not.
    pub fn total_bytes(&self) -> u64 {
        self.total
    }

    /// How many bytes were dropped.
    pub fn omitted_bytes(&self) -> u64 {
        self.omitted
    }

    /// Says whether anything was dropped.
    pub fn truncated(&self) -> bool {
        self.omitted > 0
    }

    /// The last line that is not blank, for an error message.
    pub(crate) fn last_line(&self) -> Option<String> {
        [&self.tail, &self.head].into_iter().find_map(|bytes| {
            let mut lines = bytes.rsplit(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            let line = lines.find(|line| !line.is_empty())?;
            Some(String::from_utf8_lossy(line).into_owned())
        })
    }
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captured")
            .field("text", &self.text())
            .field("total_bytes", &self.total)
            .finish_non_exhaustive()
    }
}

/// The first and the last bytes of a stream, in memory that does not grow with it.
#[derive(Debug)]
pub(crate) struct HeadTail {
    head: Vec<u8>,
    head_limit: usize,
    /// A ring once it is full; its oldest byte is at `oldest`.
    tail: Vec<u8>,
    tail_limit: usize,
    oldest: usize,
    total: u64,
}

impl HeadTail {
    pub(crate) fn new(capture: Capture) -> HeadTail {
        HeadTail {
            head: Vec::new(),
            head_limit: capture.head,
            tail: Vec::new(),
            tail_limit: capture.tail,
            oldest: 0,
            total: 0,
        }
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.total += chunk.len() as u64;
        let room = self.head_limit - self.head.len();
        let (head, rest) = chunk.split_at(room.min(chunk.len()));
        self.head.extend_from_slice(head);
        // Nothing older than this survives the chunk.
        let rest = &rest[rest.len().saturating_sub(self.tail_limit)..];
        let room = self.tail_limit - self.tail.len();
        let (fresh, rest) = rest.split_at(room.min(rest.len()));
        self.tail.extend_from_slice(fresh);
        if !rest.is_empty() {
            let (first, second) = rest.split_at(rest.len().min(self.tail.len() - self.oldest));
            self.tail[self.oldest..][..first.len()].copy_from_slice(first);
            self.tail[..second.len()].copy_from_slice(second);
            self.oldest = (self.oldest + rest.len()) % self.tail.len();
        }
    }

    /// Gives what was kept and begins anew.
    pub(crate) fn take(&mut self, redactor: &Redactor) -> Captured {
        let HeadTail { mut head, mut tail, total, oldest, .. } =
            std::mem::replace(self, HeadTail::new(Capture::ends(self.head_limit, self.tail_limit)));
        tail.rotate_left(oldest);
        let omitted = total - (head.len() + tail.len()) as u64;
        if omitted == 0 {
            head.append(&mut tail);
        }
        let cut = omitted > 0;
        Captured {
            head: redactor.piece(head, false, cut),
            tail: redactor.piece(tail, cut, false),
            total,
            omitted,
        }
    }
}

/// Without the character at the end that was cut.
pub(crate) fn without_cut_end(bytes: &[u8]) -> &[u8] {
    match bytes.utf8_chunks().last() {
        // An invalid sequence that ends the text and begins like a character.
        Some(last) if matches!(last.invalid(), [0xC2..=0xF4, ..]) => {
            &bytes[..bytes.len() - last.invalid().len()]
        }
        _ => bytes,
    }
}

/// Without the bytes at the start that belong to a character which began before.
fn without_cut_start(bytes: &[u8]) -> &[u8] {
    let rest = bytes.iter().take(3).take_while(|byte| matches!(byte, 0x80..=0xBF)).count();
    &bytes[rest..]
}

/// A number of bytes for people.
pub(crate) struct Size(pub(crate) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut tenths = 0;
        let mut unit = "bytes";
        for larger in ["kB", "MB", "GB", "TB"] {
            if rest < 1000 {
                break;
            }
            tenths = rest % 1000 / 100;
            rest /= 1000;
            unit = larger;
        }
        if unit == "bytes" {
            write!(f, "{rest} bytes")
        } else {
            write!(f, "{rest}.{tenths} {unit}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Capture, HeadTail, Size};
    use crate::redact::Redactor;

    fn captured(capture: Capture, chunks: &[&[u8]]) -> super::Captured {
        let mut kept = HeadTail::new(capture);
        for chunk in chunks {
            kept.push(chunk);
        }
        kept.take(&Redactor::default())
    }

    #[test]
    fn every_split_of_a_stream_keeps_the_same_bytes() {
        let stream: Vec<u8> = (0..60).collect();
        for head in [0, 1, 7] {
            for tail in [0, 1, 5, 11, 60] {
                for step in 1..=stream.len() {
                    let chunks: Vec<&[u8]> = stream.chunks(step).collect();
                    let kept = captured(Capture::ends(head, tail), &chunks);
                    assert_eq!(kept.total_bytes(), 60);
                    if head + tail >= 60 {
                        assert_eq!(kept.bytes(), Some(stream.as_slice()));
                    } else {
                        assert_eq!(kept.head(), &stream[..head], "{head} {tail} {step}");
                        assert_eq!(kept.tail(), &stream[60 - tail..], "{head} {tail} {step}");
                        assert_eq!(kept.omitted_bytes(), (60 - head - tail) as u64);
                    }
                }
            }
        }
    }

    #[test]
    fn a_cut_through_a_character_leaves_no_rest_of_it() {
        let text = "aé".repeat(10);
        let kept = captured(Capture::ends(2, 4), &[text.as_bytes()]);
        assert_eq!(kept.text(), "a\n... 24 bytes omitted ...\naé");
    }

    #[test]
    fn a_character_that_two_reads_share_is_whole() {
        let text = "naïve ☃".as_bytes();
        for at in 0..text.len() {
            let kept = captured(Capture::default(), &[&text[..at], &text[at..]]);
            assert_eq!(kept.text(), "naïve ☃");
        }
    }

    #[test]
    fn sizes_are_rounded_down_to_a_tenth() {
        let sizes = [0, 999, 1000, 12_390_000, 10_737_418_240];
        let texts = sizes.map(|size| Size(size).to_string());
        assert_eq!(texts, ["0 bytes", "999 bytes", "1.0 kB", "12.3 MB", "10.7 GB"]);
    }
}
