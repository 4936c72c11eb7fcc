//! What goes into a child and what comes out of it, all at the same time.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    net::unix::pipe,
    sync::oneshot,
    time::{Instant, Sleep, sleep_until},
};

use crate::{stdin::Feed, sys};

/// What is read at once; what a usual pipe holds.
const CHUNK: usize = 64 << 10;
/// What is read at once from a child that fills its pipe.
const LARGE_CHUNK: usize = 256 << 10;
/// After the end of the child, a stream that is held by another process counts as ended when it was silent for this long.
const QUIET: Duration = Duration::from_millis(100);
/// However much it says.
const LONGEST_DRAIN: Duration = Duration::from_secs(2);

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// What happened.
pub(crate) enum Step {
    /// So many bytes are in the [buffer](Pump::buffer).
    Chunk(Stream, usize),
    /// What is to be written cannot be read: the child is to be ended.
    Broken,
    /// Nothing more will come.
    Closed,
}

/// The ends of the pipes that are ours.
pub(crate) struct Pump {
    stdin: Option<pipe::Sender>,
    feed: Feed,
    streams: [(Stream, Option<pipe::Receiver>); 2],
    buffer: Vec<u8>,
    exited: Option<oneshot::Receiver<()>>,
    /// Since when the child has ended.
    exited_at: Option<Instant>,
    /// When a stream that outlives the child was silent for long enough.
    quiet: Option<Pin<Box<Sleep>>>,
    /// Another process held a stream when it was given up.
    pub(crate) held: bool,
    /// Why what was to be written could not be read.
    pub(crate) broken: Option<io::Error>,
}

impl Pump {
    pub(crate) fn new(
        stdin: Option<pipe::Sender>,
        feed: Feed,
        [out, err]: [Option<pipe::Receiver>; 2],
        exited: oneshot::Receiver<()>,
    ) -> Pump {
        Pump {
            stdin,
            feed,
            streams: [(Stream::Out, out), (Stream::Err, err)],
            buffer: Vec::new(),
            exited: Some(exited),
            exited_at: None,
            quiet: None,
            held: false,
            broken: None,
        }
    }

    /// The end to write to, if nothing is written from here.
    pub(crate) fn take_stdin(&mut self) -> Option<pipe::Sender> {
        if matches!(self.feed, Feed::Nothing) { self.stdin.take() } else { None }
    }

    /// The last chunk.
    pub(crate) fn buffer(&self) -> &[u8] {
        &self.buffer
    }

    /// Goes on until something is read or nothing more will come. `may_grow` lets the pipe of a loud child grow.
    pub(crate) fn poll_step(&mut self, cx: &mut Context<'_>, may_grow: bool) -> Poll<Step> {
        if let Some(exited) = &mut self.exited
            && Pin::new(exited).poll(cx).is_ready()
        {
            self.exited = None;
            self.exited_at = Some(Instant::now());
            self.stdin = None;
        }
        if self.stdin.is_some()
            && let Poll::Ready(fed) = self.poll_feed(cx)
        {
            match fed {
                Ok(()) => self.stdin = None,
                // Its end is kept open: the child must not take this for the end of its input.
                Err(error) => {
                    self.feed = Feed::Broken;
                    self.broken = Some(error);
                    return Poll::Ready(Step::Broken);
                }
            }
        }
        self.buffer.resize(self.buffer.len().max(CHUNK), 0);
        // The one that was read last is asked last.
        for at in 0..if self.is_loud_for_too_long() { 0 } else { 2 } {
            if let Poll::Ready(read) = self.poll_read(cx, at, may_grow) {
                let stream = self.streams[at].0;
                self.streams.reverse();
                if let Some(quiet) = &mut self.quiet {
                    quiet.as_mut().reset(Instant::now() + QUIET);
                }
                return Poll::Ready(Step::Chunk(stream, read));
            }
        }
        if self.streams.iter().all(|(_, source)| source.is_none()) {
            return Poll::Ready(Step::Closed);
        }
        ready!(self.poll_quiet(cx));
        self.held = true;
        for (_, source) in &mut self.streams {
            *source = None;
        }
        Poll::Ready(Step::Closed)
    }

    /// Reads a chunk. A stream that ends, or cannot be read, is gone and never ready again.
    fn poll_read(&mut self, cx: &mut Context<'_>, at: usize, may_grow: bool) -> Poll<usize> {
        let Some(source) = &self.streams[at].1 else { return Poll::Pending };
        let read = loop {
            if ready!(source.poll_read_ready(cx)).is_err() {
                break 0;
            }
            match source.try_read(&mut self.buffer) {
                Ok(read) => break read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break 0,
            }
        };
        if read == 0 {
            self.streams[at].1 = None;
            return Poll::Pending;
        }
        if may_grow && read == CHUNK && self.buffer.len() == CHUNK {
            sys::grow(source);
            self.buffer.resize(LARGE_CHUNK, 0);
        }
        Poll::Ready(read)
    }

    /// Ready when the child has ended and only others hold its streams, which have nothing to say.
    fn poll_quiet(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.exited_at.is_none() {
            return Poll::Pending;
        }
        if self.is_loud_for_too_long() {
            return Poll::Ready(());
        }
        let quiet = self.quiet.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + QUIET)));
        quiet.as_mut().poll(cx)
    }

    fn is_loud_for_too_long(&self) -> bool {
        self.exited_at.is_some_and(|exited_at| exited_at.elapsed() >= LONGEST_DRAIN)
    }

    /// Writes what there is to write. Ready when that is all, when nobody reads it, or when it cannot be read.
    fn poll_feed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(stdin) = &self.stdin else { return Poll::Ready(Ok(())) };
        match &mut self.feed {
            // Somebody else writes, or will, or nobody does.
            Feed::Nothing | Feed::Broken => Poll::Pending,
            Feed::Bytes(bytes, at) => poll_write(cx, stdin, bytes, at).map(Ok),
            Feed::Reader(reader, pending) => loop {
                let mut at = 0;
                let written = poll_write(cx, stdin, pending, &mut at);
                pending.drain(..at);
                ready!(written);
                if !pending.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                pending.resize(CHUNK, 0);
                let mut buffer = ReadBuf::new(pending);
                let read = Pin::new(&mut *reader).poll_read(cx, &mut buffer);
                let filled = buffer.filled().len();
                pending.truncate(filled);
                ready!(read)?;
                if filled == 0 {
                    return Poll::Ready(Ok(()));
                }
            },
        }
    }
}

/// Writes from `at` on, which it moves. Ready when all is written, or when nobody reads it.
fn poll_write(
    cx: &mut Context<'_>,
    stdin: &pipe::Sender,
    bytes: &[u8],
    at: &mut usize,
) -> Poll<()> {
    while *at < bytes.len() {
        if ready!(stdin.poll_write_ready(cx)).is_err() {
            break;
        }
        match stdin.try_write(&bytes[*at..]) {
            Ok(written) => *at += written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    Poll::Ready(())
}
