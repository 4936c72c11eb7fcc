//! The stream below HTTP: tells what moves, and closes so that the last response arrives.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::{Open, activity::Activity};

/// What a client sends first on HTTP/2 ([RFC 9113, section 3.4](https://www.rfc-editor.org/rfc/rfc9113#section-3.4)).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection's stream. It stays what the stop waits for, also when an upgrade moves it elsewhere.
pub(super) struct Io<T> {
    stream: T,
    /// The first bytes, which were read to tell the protocol, and how many of them are still to be read again.
    first: [u8; PREFACE.len()],
    len: usize,
    at: usize,
    activity: Arc<Activity>,
    /// How long the client may take to close its half after ours.
    linger: Duration,
    closing: Option<Pin<Box<Sleep>>>,
    _open: Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Not yet told.
    Any,
    Http1,
    Http2,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Io<T> {
    pub(super) fn new(stream: T, activity: Arc<Activity>, linger: Duration, open: Open) -> Io<T> {
        let first = [0; PREFACE.len()];
        Io { stream, first, len: 0, at: 0, activity, linger, closing: None, _open: open }
    }

    /// Reads until the protocol can be told; `None` when nothing comes.
    pub(super) fn poll_protocol(&mut self, cx: &mut Context<'_>) -> Poll<Option<Protocol>> {
        loop {
            if self.first[..self.len] != PREFACE[..self.len] {
                return Poll::Ready(Some(Protocol::Http1));
            }
            if self.len == PREFACE.len() {
                return Poll::Ready(Some(Protocol::Http2));
            }
            let mut buf = ReadBuf::new(&mut self.first[self.len..]);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf));
            match buf.filled().len() {
                _ if read.is_err() => return Poll::Ready(None),
                0 if self.len == 0 => return Poll::Ready(None),
                // HTTP/1 knows what to say to half a request.
                0 => return Poll::Ready(Some(Protocol::Http1)),
                read => {
                    self.len += read;
                    self.activity.received();
                }
            }
        }
    }

    fn noted<R>(&self, written: Poll<R>) -> Poll<R> {
        self.activity.stuck(written.is_pending());
        written
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Io<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.at < this.len {
            let rest = &this.first[this.at..this.len];
            let count = rest.len().min(buf.remaining());
            buf.put_slice(&rest[..count]);
            this.at += count;
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.activity.received();
        }
        read
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Io<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.noted(flushed)
    }

    /// Closes our half, and reads on until the client has closed its own.
    ///
    /// The kernel resets a connection that is closed with something unread, and a reset destroys what the client has not read
    /// of the last response ([RFC 9112, section 9.6](https://www.rfc-editor.org/rfc/rfc9112#section-9.6)).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some(patience) = &mut this.closing else {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if this.activity.is_leaving() {
                // It had nothing to do, so there is no response to protect.
                return Poll::Ready(Ok(()));
            }
            this.closing = Some(Box::pin(sleep(this.linger)));
            return self.poll_shutdown(cx);
        };
        let mut scratch = [0; 1024];
        loop {
            if patience.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut scratch);
            let read = ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
