//! Output by the line, while the child runs.

use std::{collections::VecDeque, future::poll_fn};

use crate::{
    child::Child,
    error::Error,
    pump::{Step, Stream},
    redact::Redactor,
};

/// A longer line arrives in pieces.
const LONGEST: usize = 1 << 20;

/// A line, without its end. What is not UTF-8 becomes U+FFFD, and secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A line of standard output.
    Stdout(String),
    /// A line of standard error.
    Stderr(String),
}

impl Event {
    /// The line, of whichever stream.
    pub fn line(&self) -> &str {
        match self {
            Event::Stdout(line) | Event::Stderr(line) => line,
        }
    }
}

/// The lines of a child: [`Child::lines`].
#[derive(Debug)]
#[must_use = "nothing is read before `next`"]
pub struct Lines<'a>(&'a mut Child);

impl<'a> Lines<'a> {
    pub(crate) fn new(child: &'a mut Child) -> Lines<'a> {
        Lines(child)
    }

    /// Waits for the next line of either stream; `None` when both have ended, and the child with them.
    ///
    /// Of one stream the lines are in order. Between the two the order is that of arrival, to within what one read takes.
    /// A line ends with LF or CRLF; one that is longer than 1 MiB arrives in pieces of that size.
    ///
    /// Nothing is read ahead but one chunk of 64 KiB, so the child waits for a slow reader once its pipe is full, and its time goes on.
    ///
    /// # Errors
    ///
    /// When the time of the child is over.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        let Lines(child) = self;
        loop {
            if let Some(event) = child.splitter.ready.pop_front() {
                return Ok(Some(event));
            }
            match poll_fn(|cx| child.pump.poll_step(cx, false)).await {
                Step::Chunk(stream, length) => child.split(stream, length),
                Step::Broken => child.stop_soon(),
                Step::Closed if child.splitter.is_empty() => {
                    child.fails_by_time().await?;
                    return Ok(None);
                }
                Step::Closed => child.split_rest(),
            }
        }
    }
}

/// Makes lines of chunks.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    ready: VecDeque<Event>,
    out: Partial,
    err: Partial,
}

/// A line that has no end yet.
#[derive(Debug, Default)]
struct Partial {
    bytes: Vec<u8>,
    /// A piece of it was handed out.
    begun: bool,
}

impl Splitter {
    pub(crate) fn push(&mut self, stream: Stream, mut chunk: &[u8], redactor: &Redactor) {
        while !chunk.is_empty() {
            let partial = self.partial(stream);
            let room = (LONGEST - partial.bytes.len()).min(chunk.len());
            let end = chunk[..room].iter().position(|byte| *byte == b'\n');
            let (taken, rest) = chunk.split_at(end.map_or(room, |end| end + 1));
            partial.bytes.extend_from_slice(taken);
            if end.is_some() || partial.bytes.len() == LONGEST {
                self.emit(stream, end.is_none(), redactor);
            }
            chunk = rest;
        }
    }

    /// What has no end of line gets one.
    pub(crate) fn push_rest(&mut self, redactor: &Redactor) {
        for stream in [Stream::Out, Stream::Err] {
            if !self.partial(stream).bytes.is_empty() {
                self.emit(stream, false, redactor);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.out.bytes.is_empty() && self.err.bytes.is_empty()
    }

    fn partial(&mut self, stream: Stream) -> &mut Partial {
        match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        }
    }

    fn emit(&mut self, stream: Stream, goes_on: bool, redactor: &Redactor) {
        let partial = self.partial(stream);
        let mut bytes = std::mem::take(&mut partial.bytes);
        let begun = std::mem::replace(&mut partial.begun, goes_on);
        if goes_on {
            // A character is not cut: its beginning waits for the rest.
            let whole = crate::capture::without_cut_end(&bytes).len();
            partial.bytes = bytes.split_off(whole);
        } else {
            let end = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            let end = end.strip_suffix(b"\r").unwrap_or(end).len();
            bytes.truncate(end);
            if begun && bytes.is_empty() {
                return;
            }
        }
        let line = String::from_utf8_lossy(&redactor.piece(bytes, begun, goes_on)).into_owned();
        self.ready.push_back(match stream {
            Stream::Out => Event::Stdout(line),
            Stream::Err => Event::Stderr(line),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, LONGEST, Splitter};
    use crate::{pump::Stream, redact::Redactor};

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut splitter = Splitter::default();
        for chunk in chunks {
            splitter.push(Stream::Out, chunk, &Redactor::default());
        }
        splitter.push_rest(&Redactor::default());
        splitter.ready.iter().map(|event| event.line().to_owned()).collect()
    }

    #[test]
    fn chunks_do_not_show() {
        let text = "one\r\n\nthree ☃\nfour".as_bytes();
        for at in 0..text.len() {
            assert_eq!(lines(&[&text[..at], &text[at..]]), ["one", "", "three ☃", "four"]);
        }
        assert!(lines(&[]).is_empty());
    }

    #[test]
    fn a_long_line_arrives_in_pieces_and_no_character_is_cut() {
        let text = format!("x{}\nnext\n", "é".repeat(LONGEST));
        let found = lines(&[text.as_bytes()]);
        assert_eq!(found.len(), 4);
        assert!(found.iter().all(|line| line.len() <= LONGEST && !line.contains('\u{fffd}')));
        assert_eq!(found.concat(), text.replace('\n', ""));
    }

    #[test]
    fn a_line_of_exactly_the_most_is_one() {
        let line = "x".repeat(LONGEST);
        assert_eq!(lines(&[line.as_bytes(), b"\nnext"]), [line.as_str(), "next"]);
    }

    #[test]
    fn streams_do_not_mix() {
        let mut splitter = Splitter::default();
        let redactor = Redactor::default();
        splitter.push(Stream::Out, b"o", &redactor);
        splitter.push(Stream::Err, b"e\n", &redactor);
        splitter.push(Stream::Out, b"ut\n", &redactor);
        let expected = [Event::Stderr("e".into()), Event::Stdout("out".into())];
        assert_eq!(splitter.ready, expected);
    }
}
