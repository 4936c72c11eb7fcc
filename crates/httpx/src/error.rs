//! What went wrong, for a program and for an operator.

use std::{error, fmt, time::Duration};

use bytes::Bytes;
use reqwest::{Method, StatusCode, Url};
use underpin_retry::Why;

use crate::{disposition::Disposition, redact::Redacted};

/// Any error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A request that has failed, after all attempts. One pointer.
///
/// Its text says what was asked of whom, what happened, how often and for how long, and why it was not tried again. Neither it nor any of its
/// sources contains credentials, a query, or the value of a header.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    disposition: Disposition,
    what: What,
    /// Method, and URL without secrets.
    request: Option<(Method, String)>,
    status: Option<StatusCode>,
    retry_after: Option<Duration>,
    is_timeout: bool,
    body: Bytes,
    attempts: u32,
    elapsed: Duration,
    why: Option<Why>,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

/// In which part of a request an error happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The request, or the client, could not be made. Nothing was sent.
    Request,
    /// There was no connection: name, route, proxy, certificate.
    Connect,
    /// The connection was lost, or the server did not keep to the protocol.
    Transport,
    /// There were too many redirects, or one to where this client does not go.
    Redirect,
    /// A limit of time was reached: of one attempt, of a pause in the body, or of everything.
    Timeout,
    /// The server answered with 4xx or 5xx.
    Status,
    /// The body of the response broke off.
    Body,
    /// The body of the response is longer than it may be.
    TooLarge,
    /// The body of the response is not what it should be.
    Decode,
    /// What was received could not be written to where it should go.
    Write,
    /// The server has asked to be left alone for longer than there is time. Nothing was sent.
    Paused,
    /// The circuit breaker is open. Nothing was sent.
    Rejected,
    /// Our own rate limit has no place in the time there is. Nothing was sent.
    Limited,
}

/// What the text says happened.
#[derive(Debug)]
pub(crate) enum What {
    Text(&'static str),
    Status,
    TimedOut(Limit, Duration),
    TooLarge(usize),
    Paused(Duration),
}

/// Which limit of time was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    Deadline,
    Attempt,
    Read,
}

impl Error {
    pub(crate) fn new(kind: Kind, disposition: Disposition, what: What) -> Error {
        Error(Box::new(Inner {
            kind,
            disposition,
            what,
            request: None,
            status: None,
            retry_after: None,
            is_timeout: kind == Kind::Timeout,
            body: Bytes::new(),
            attempts: 0,
            elapsed: Duration::ZERO,
            why: None,
            source: None,
        }))
    }

    /// The request cannot be made.
    pub(crate) fn request(what: &'static str) -> Error {
        Error::new(Kind::Request, Disposition::Final, What::Text(what))
    }

    pub(crate) fn about(mut self, method: &Method, url: &Url) -> Error {
        self.0.request = Some((method.clone(), Redacted(url).to_string()));
        self
    }

    pub(crate) fn because(
        mut self,
        source: impl Into<Box<dyn error::Error + Send + Sync>>,
    ) -> Error {
        self.0.source = Some(source.into());
        self
    }

    /// Because of what reqwest says.
    pub(crate) fn because_of(mut self, error: reqwest::Error) -> Error {
        self.0.is_timeout |= error.is_timeout();
        self.because(error)
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Error {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_retry_after(mut self, after: Option<Duration>) -> Error {
        self.0.retry_after = after;
        self
    }

    pub(crate) fn with_body(mut self, body: Bytes) -> Error {
        self.0.body = body;
        self
    }

    pub(crate) fn after(mut self, attempts: u32, elapsed: Duration, why: Option<Why>) -> Error {
        (self.0.attempts, self.0.elapsed, self.0.why) = (attempts, elapsed, why);
        self
    }

    /// In which part of the request it happened.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What is known about the request, and so whether it may be sent again by somebody who knows better.
    pub fn disposition(&self) -> Disposition {
        self.0.disposition
    }

    /// The status of the response, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// How often the request was sent, or begun to be, a hedge included.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The time since it was begun, waits included.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// How long the server asks to be left alone, or the breaker leaves it alone.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether a limit of time was reached, that of connecting included.
    pub fn is_timeout(&self) -> bool {
        self.0.is_timeout
    }

    /// Whether there was no connection.
    pub fn is_connect(&self) -> bool {
        self.0.kind == Kind::Connect
    }

    /// Whether nothing was sent because the breaker is open, the host is paused, or our own rate limit has no place.
    pub fn is_rejected(&self) -> bool {
        matches!(self.0.kind, Kind::Rejected | Kind::Paused | Kind::Limited)
    }

    /// Whether it would have been tried again, but there were no attempts, no time or no budget left. Whoever sees this should not try it
    /// again either: attempts at two levels multiply.
    pub fn is_exhausted(&self) -> bool {
        is_exhausted(self.0.why)
    }

    /// The URL, without credentials, query and fragment.
    pub fn url(&self) -> Option<&str> {
        self.0.request.as_ref().map(|(_, url)| &**url)
    }

    /// How the body of the response begins: 4 KiB at most, and only of a 4xx or 5xx. It is not part of the text.
    pub fn body_prefix(&self) -> &[u8] {
        &self.0.body
    }
}

pub(crate) fn is_exhausted(why: Option<Why>) -> bool {
    matches!(why, Some(Why::Attempts | Why::Deadline | Why::Budget))
}

impl error::Error for Error {
    /// Errors of reqwest are passed over: they print URLs, and have nothing to say that is not said here.
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        let mut source =
            self.0.source.as_deref().map(|source| source as &(dyn error::Error + 'static));
        while let Some(error) = source.filter(|source| source.is::<reqwest::Error>()) {
            source = error.source();
        }
        source
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        if let Some((method, url)) = &inner.request {
            write!(f, "{method} {url}: ")?;
        }
        match (&inner.what, inner.status) {
            (What::Status, Some(status)) => write!(f, "{status}")?,
            (what, _) => what.fmt(f)?,
        }
        if inner.attempts > 1 {
            write!(
                f,
                ", after {} attempts in {:.3} s",
                inner.attempts,
                inner.elapsed.as_secs_f64()
            )?;
        }
        if let Some(why) = inner.why.filter(|why| *why != Why::Final) {
            write!(f, ": {why}")?;
        }
        Ok(())
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Text(text) => f.write_str(text),
            What::Status => f.write_str("the server answered with an error"),
            What::TimedOut(limit, time) => {
                let (what, name) = match limit {
                    Limit::Deadline => ("did not end in time", "deadline"),
                    Limit::Attempt => ("the attempt did not end in time", "attempt_timeout"),
                    Limit::Read => ("the body made no progress", "read_timeout"),
                };
                write!(f, "{what}: {name} of {:.3} s", time.as_secs_f64())
            }
            What::TooLarge(most) => {
                write!(
                    f,
                    "the body is longer than {most} bytes: raise max_body, or read it in chunks"
                )
            }
            What::Paused(left) => {
                let left = left.as_secs_f64();
                write!(f, "the server asks to be left alone for another {left:.3} s")
            }
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        let mut sources = Vec::new();
        let mut source = error::Error::source(self);
        while let Some(error) = source {
            sources.push(error.to_string());
            source = error.source();
        }
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("disposition", &inner.disposition)
            .field("what", &self.to_string())
            .field("sources", &sources)
            .finish_non_exhaustive()
    }
}
