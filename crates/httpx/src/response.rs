//! A response, and its body within its limits.

use std::{fmt, time::Duration};

use bytes::Bytes;
use reqwest::{Method, StatusCode, Url, Version, header::HeaderMap};
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _},
    time::{Instant, timeout_at},
};
use underpin_retry::Why;

use crate::{
    buffer::Buffer,
    circuit::Permit,
    disposition::Disposition,
    error::{Error, Kind, Limit, Result, What, is_exhausted},
    observe,
    operation::{Operation, after},
    reading::{End, Limits, Reading},
    redact::Redacted,
    response_body::ResponseBody,
    resume::Resume,
};

/// How much of a failed response is read before the request is sent again, so that its connection can be used again.
const READ_AHEAD: usize = 64 * 1024;
/// How long that may take.
const READ_AHEAD_TIME: Duration = Duration::from_millis(50);

/// How much of the body of a 4xx or 5xx an error keeps.
const EXCERPT: usize = 4 * 1024;
/// How long is waited for that.
const EXCERPT_TIME: Duration = Duration::from_millis(500);

const BROKE: What = What::Text("the body of the response broke off");

/// A response. Its body is still under way, within the deadline of the request and the time of the attempt.
///
/// Dropped before its body was asked for, it counts as a success for the circuit breaker, if its status is one. Dropped in the middle of the body, it
/// counts as nothing.
pub struct Response {
    inner: reqwest::Response,
    /// Read, and not given out yet.
    ahead: Bytes,
    /// What broke while it was read ahead.
    broken: Option<Error>,
    reading: Reading,
    limits: Limits,
    method: Method,
    max_body: usize,
    disposition: Disposition,
    retry_after: Option<Duration>,
    attempts: u32,
    began: Instant,
    elapsed: Duration,
    why: Option<Why>,
    resume: Option<Box<Resume>>,
}

impl Response {
    pub(crate) fn new(
        response: reqwest::Response,
        operation: &Operation,
        permit: Permit,
        limits: Limits,
        disposition: Disposition,
        retry_after: Option<Duration>,
    ) -> Response {
        Response {
            inner: response,
            ahead: Bytes::new(),
            broken: None,
            reading: Reading::new(permit),
            limits,
            method: operation.request.method().clone(),
            max_body: operation.shared.settings.max_body,
            disposition,
            retry_after,
            attempts: operation.sent(),
            began: operation.began(),
            elapsed: operation.began().elapsed(),
            why: None,
            resume: None,
        }
    }

    pub(crate) fn set_resume(&mut self, resume: Option<Resume>) {
        self.resume = resume.map(Box::new);
    }

    /// It is the last answer, and not a good one.
    pub(crate) fn give_up(&mut self, why: Option<Why>) {
        self.why = why;
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// The version of HTTP.
    pub fn version(&self) -> Version {
        self.inner.version()
    }

    /// Its headers.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// Where it came from, after redirects. It may contain secrets.
    pub fn url(&self) -> &Url {
        self.inner.url()
    }

    /// How long the body is, if that is known: after decompression.
    pub fn content_length(&self) -> Option<u64> {
        self.inner.content_length()
    }

    /// How often the request was sent, a hedge included.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The time until its headers were there, from the beginning of the request.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// What its status says about the request.
    pub fn disposition(&self) -> Disposition {
        self.disposition
    }

    /// How long the server asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the request would have been tried again, but there were no attempts, no time or no budget left.
    pub fn is_exhausted(&self) -> bool {
        is_exhausted(self.why)
    }

    /// The next piece of the body, `None` at its end.
    ///
    /// # Errors
    ///
    /// When the body breaks off, or does not come in time. With [`Request::resume`](crate::Request::resume), only if going on fails, too.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped, unless it was going on after a break: then the next call says that the body broke off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            let error = match self.next().await {
                Ok(piece) => {
                    let resume = self.resume.as_mut();
                    if resume.is_none_or(|resume| resume.follows(piece.as_ref())) {
                        return Ok(piece);
                    }
                    self.resume = None;
                    self.reading.fail();
                    let lied = What::Text("the body is not as long as the server has said");
                    return Err(self.error(Kind::Body, Disposition::Final, lied));
                }
                Err(error) => error,
            };
            let Some(resume) = self.resume.take() else { return Err(error) };
            self.recover(resume, error).await?;
        }
    }

    async fn recover(&mut self, mut resume: Box<Resume>, broken: Error) -> Result<()> {
        // For whoever comes back after dropping this: a body that ends here has not ended.
        let broke = What::Text("the body broke off, and going on was given up");
        self.broken = Some(self.error(Kind::Body, Disposition::Unknown, broke));
        // Boxed, for what it does contains this.
        let next = Box::pin(resume.go_on(broken)).await;
        self.broken = None;
        let next = next?;
        self.attempts = next.attempts;
        self.inner = next.inner;
        (self.ahead, self.reading, self.limits) = (next.ahead, next.reading, next.limits);
        if Resume::is_complete(self.status()) {
            self.reading.end();
        }
        resume.learn(self.headers());
        self.resume = Some(resume);
        Ok(())
    }

    /// The next piece of what this attempt brings.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if !self.ahead.is_empty() {
            return Ok(Some(std::mem::take(&mut self.ahead)));
        }
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        self.receive().await
    }

    /// Waits for the first piece: an answer that breaks off before it has brought nothing.
    pub(crate) async fn read_first(&mut self) -> Result<()> {
        self.ahead = self.receive().await?.unwrap_or_default();
        Ok(())
    }

    async fn receive(&mut self) -> Result<Option<Bytes>> {
        match self.reading.ended {
            None => {}
            Some(End::Whole) => return Ok(None),
            // Whoever asks again is not to take it for the end.
            Some(End::Broken) => {
                let broke = What::Text("the body of the response broke off before");
                return Err(self.error(Kind::Body, Disposition::Unknown, broke));
            }
        }
        self.reading.is_begun = true;
        let Limits { ends, limit, time, read } = self.limits;
        let (until, limit, time) = match read.map(|read| (after(Instant::now(), read), read)) {
            Some((until, read)) if until < ends => (until, Limit::Read, read),
            _ => (ends, limit, time),
        };
        let received = timeout_at(until, self.inner.chunk()).await;
        let error = match received {
            Ok(Ok(Some(piece))) => return Ok(Some(piece)),
            Ok(Ok(None)) if !self.is_short() => {
                self.reading.end();
                return Ok(None);
            }
            Ok(Ok(None)) => self.error(Kind::Body, Disposition::Unknown, BROKE),
            Ok(Err(error)) => self.error(Kind::Body, Disposition::Unknown, BROKE).because_of(error),
            Err(_) => {
                observe::timeout(self.inner.url(), time);
                self.error(Kind::Timeout, Disposition::Unknown, What::TimedOut(limit, time))
            }
        };
        self.reading.fail();
        Err(error)
    }

    /// Whether some of the announced length is missing at the end. hyper takes a stream of HTTP/2 that is reset without an error for
    /// one that has ended.
    fn is_short(&self) -> bool {
        // These announce the length of something else.
        let has_none = self.method == Method::HEAD || self.status() == StatusCode::NOT_MODIFIED;
        !has_none && self.content_length().is_some_and(|left| left > 0)
    }

    /// Reads what is left of a failed response, within bounds. With HTTP/2, its connection is free anyway.
    pub(crate) async fn read_ahead(&mut self) {
        if self.version() < Version::HTTP_2 {
            self.read_some(READ_AHEAD, READ_AHEAD_TIME).await;
        }
    }

    /// Reads up to about so much, for so long.
    async fn read_some(&mut self, most: usize, time: Duration) {
        let until = after(Instant::now(), time);
        let mut buffer = Buffer::from(std::mem::take(&mut self.ahead));
        while buffer.len() < most && self.broken.is_none() {
            match timeout_at(until, self.receive()).await {
                Ok(Ok(Some(piece))) => buffer.push(piece),
                Ok(Err(error)) => self.broken = Some(error),
                Ok(Ok(None)) | Err(_) => break,
            }
        }
        self.ahead = buffer.into_bytes();
    }

    /// Reads all of it, within the limit for bodies that are kept in memory.
    pub(crate) async fn read_whole(&mut self) -> Result<()> {
        self.ahead = self.collect().await?;
        Ok(())
    }

    async fn collect(&mut self) -> Result<Bytes> {
        let most = self.max_body;
        let too_large = |response: &Response| {
            response.error(Kind::TooLarge, Disposition::Final, What::TooLarge(most))
        };
        if self.content_length().is_some_and(|length| length > most as u64) {
            return Err(too_large(self));
        }
        let mut buffer = Buffer::default();
        while let Some(piece) = self.chunk().await? {
            if buffer.len() + piece.len() > most {
                return Err(too_large(self));
            }
            buffer.push(piece);
        }
        Ok(buffer.into_bytes())
    }

    /// Itself, unless the status is 4xx or 5xx.
    ///
    /// # Errors
    ///
    /// Of [`Kind::Status`] then, with the beginning of the body in [`Error::body_prefix`].
    pub async fn error_for_status(mut self) -> Result<Response> {
        if !self.status().is_client_error() && !self.status().is_server_error() {
            return Ok(self);
        }
        self.read_some(EXCERPT, EXCERPT_TIME).await;
        let mut excerpt = std::mem::take(&mut self.ahead);
        excerpt.truncate(EXCERPT);
        let error = self.error(Kind::Status, self.disposition, What::Status);
        Err(error.with_body(excerpt))
    }

    /// The body, within [`Builder::max_body`](crate::Builder::max_body).
    ///
    /// # Errors
    ///
    /// When the status is 4xx or 5xx, when the body is too long, breaks off or does not come in time.
    pub async fn bytes(self) -> Result<Bytes> {
        self.error_for_status().await?.collect().await
    }

    /// The body as text; what is not UTF-8 in it is replaced.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Response::bytes).
    pub async fn text(self) -> Result<String> {
        let bytes = self.bytes().await?.into();
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Response::bytes), and when it is not such JSON.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T> {
        let mut response = self.error_for_status().await?;
        let bytes = response.collect().await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let what = What::Text("the body is not the JSON that was expected");
            response.error(Kind::Decode, Disposition::Final, what).because(misfit(&error))
        })
    }

    /// Writes the body while it arrives, and flushes. Returns how long it was.
    ///
    /// # Errors
    ///
    /// When the status is 4xx or 5xx, when the body breaks off or does not come in time, when writing fails or takes too long.
    pub async fn download_to(self, mut writer: impl AsyncWrite + Unpin) -> Result<u64> {
        let mut response = self.error_for_status().await?;
        let mut length = 0;
        loop {
            let piece = response.chunk().await?;
            let ends = response.limits.ends;
            let written = match &piece {
                Some(piece) => timeout_at(ends, writer.write_all(piece)).await,
                None => timeout_at(ends, writer.flush()).await,
            };
            match written {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    let what = What::Text("the body could not be written to where it should go");
                    return Err(response
                        .error(Kind::Write, Disposition::Final, what)
                        .because(error));
                }
                Err(_) => {
                    let Limits { limit, time, .. } = response.limits;
                    let what = What::TimedOut(limit, time);
                    return Err(response.error(Kind::Timeout, Disposition::Final, what));
                }
            }
            let Some(piece) = piece else { return Ok(length) };
            length += piece.len() as u64;
        }
    }

    /// The body as an [`http_body::Body`], for a server that passes it on, or for a stream with `http_body_util::BodyDataStream`. It keeps its
    /// limits.
    pub fn into_body(self) -> ResponseBody {
        ResponseBody::new(self)
    }

    pub(crate) fn error(&self, kind: Kind, disposition: Disposition, what: What) -> Error {
        Error::new(kind, disposition, what)
            .about(&self.method, self.url())
            .with_status(self.status())
            .with_retry_after(self.retry_after)
            .after(self.attempts, self.began.elapsed(), self.why)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status())
            .field("url", &Redacted(self.url()).to_string())
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// What serde says, without what it quotes: the body may be a secret.
fn misfit(error: &serde_json::Error) -> String {
    let problem = match error.classify() {
        serde_json::error::Category::Data => "another type or field than expected",
        serde_json::error::Category::Eof => "the end of the body",
        _ => "a mistake in the JSON",
    };
    format!("{problem}, at line {}, column {}", error.line(), error.column())
}
