//! A request, before it is sent.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{
    Method,
    header::{
        ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, Entry, HeaderMap, HeaderName,
        HeaderValue, RANGE, TRANSFER_ENCODING,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::AsyncWrite;

use crate::{
    body::Body,
    client::Shared,
    error::{Error, Result},
    operation::{Operation, Plan},
    random,
    response::Response,
};

/// The header that makes a request safe to repeat, where the server knows it.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request that is not sent yet: [`Client::get`](crate::Client::get) and its like.
///
/// What cannot be right, as a header with a line break in it, is kept and comes out at the end as an error of
/// [`Kind::Request`](crate::Kind::Request); nothing is sent then.
#[must_use = "a request is not sent before `send`, `json`, `text`, `bytes` or `download_to`"]
pub struct Request {
    shared: Arc<Shared>,
    inner: Result<reqwest::Request>,
    body: Body,
    deadline: Duration,
    attempt_timeout: Duration,
    may_retry: bool,
    does_resume: bool,
    tag: &'static str,
}

impl Request {
    pub(crate) fn new(
        shared: Arc<Shared>,
        request: Result<reqwest::Request>,
        body: Body,
    ) -> Request {
        let (deadline, attempt_timeout) =
            (shared.settings.deadline, shared.settings.attempt_timeout);
        Request {
            shared,
            inner: request,
            body,
            deadline,
            attempt_timeout,
            may_retry: true,
            does_resume: false,
            tag: "",
        }
    }

    /// Changes it, unless it is wrong already.
    fn with(mut self, change: impl FnOnce(&mut reqwest::Request) -> Result<()>) -> Request {
        if let Ok(request) = &mut self.inner
            && let Err(error) = change(request)
        {
            self.inner = Err(error.about(request.method(), request.url()));
        }
        self
    }

    /// Adds a header, beside others of this name.
    pub fn header<N, V>(self, name: N, value: V) -> Request
    where
        HeaderName: TryFrom<N>,
        HeaderValue: TryFrom<V>,
    {
        self.with(|request| {
            let (name, value) = (name_of(name)?, value_of(value)?);
            request.headers_mut().append(name, value);
            Ok(())
        })
    }

    /// Sets headers, instead of others of these names.
    pub fn headers(self, headers: HeaderMap) -> Request {
        self.with(|request| {
            let mut name = None;
            for (next, value) in headers {
                // A name is given once for all of its values.
                match (next, &name) {
                    (Some(next), _) => {
                        check_name(&next)?;
                        request.headers_mut().insert(next.clone(), value);
                        name = Some(next);
                    }
                    (None, Some(name)) => {
                        request.headers_mut().append(name.clone(), value);
                    }
                    (None, None) => {}
                }
            }
            Ok(())
        })
    }

    /// Sets `Authorization: Bearer`. The value is marked, so that it is not printed.
    pub fn bearer(self, token: impl fmt::Display) -> Request {
        self.with(|request| {
            let mut value = value_of(format!("Bearer {token}"))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
            Ok(())
        })
    }

    /// Adds pairs to the query: a struct, a map or a slice of pairs.
    pub fn query<T: Serialize + ?Sized>(self, pairs: &T) -> Request {
        self.with(|request| {
            let url = request.url_mut();
            let mut query = url.query_pairs_mut();
            let added = pairs.serialize(serde_urlencoded::Serializer::new(&mut query));
            added.map_err(|error| Error::request("the query cannot be written").because(error))?;
            drop(query);
            if url.query() == Some("") {
                url.set_query(None);
            }
            Ok(())
        })
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Body>) -> Request {
        self.body = body.into();
        self
    }

    /// Sets the body to this as JSON, with its `Content-Type` where there is none.
    pub fn body_json<T: Serialize + ?Sized>(self, value: &T) -> Request {
        self.encoded("application/json", || {
            serde_json::to_vec(value).map_err(|error| {
                Error::request("the body cannot be written as JSON").because(error)
            })
        })
    }

    /// Sets the body to these pairs as a form, with its `Content-Type` where there is none.
    pub fn form<T: Serialize + ?Sized>(self, pairs: &T) -> Request {
        self.encoded("application/x-www-form-urlencoded", || {
            let text = serde_urlencoded::to_string(pairs);
            text.map(String::into_bytes).map_err(|error| {
                Error::request("the body cannot be written as a form").because(error)
            })
        })
    }

    fn encoded(
        mut self,
        content_type: &'static str,
        encode: impl FnOnce() -> Result<Vec<u8>>,
    ) -> Request {
        let mut bytes = Vec::new();
        self = self.with(|request| {
            bytes = encode()?;
            if let Entry::Vacant(entry) = request.headers_mut().entry(CONTENT_TYPE) {
                entry.insert(HeaderValue::from_static(content_type));
            }
            Ok(())
        });
        self.body(bytes)
    }

    /// The time for everything, instead of [`Builder::deadline`](crate::Builder::deadline).
    pub fn deadline(mut self, time: Duration) -> Request {
        self.deadline = time;
        self
    }

    /// The time for one attempt, instead of [`Builder::attempt_timeout`](crate::Builder::attempt_timeout).
    pub fn attempt_timeout(mut self, time: Duration) -> Request {
        self.attempt_timeout = time;
        self
    }

    /// Makes one attempt only, and no hedge beside it.
    pub fn no_retry(mut self) -> Request {
        self.may_retry = false;
        self
    }

    /// Says that the server knows `Idempotency-Key`: adds a new one, the same for all attempts of this request, so that it is safe to repeat. A key
    /// that is there already is kept.
    pub fn idempotent(self) -> Request {
        if self.inner.as_ref().is_ok_and(|request| request.headers().contains_key(IDEMPOTENCY_KEY))
        {
            return self;
        }
        self.idempotency_key(random::key())
    }

    /// The same with a key of your own, for a request that outlives this process. It is sent as a string of a structured field, in quotes;
    /// for a server that wants it bare, set the [`header`](Request::header).
    pub fn idempotency_key(self, key: impl AsRef<str>) -> Request {
        self.with(|request| {
            let key = key.as_ref();
            if key.is_empty() || !key.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                return Err(Error::request("an idempotency key has to be of printable ASCII"));
            }
            let quoted = format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""));
            request.headers_mut().insert(IDEMPOTENCY_KEY, value_of(quoted)?);
            Ok(())
        })
    }

    /// Goes on with the body where it broke off, for a GET of something that does not change while it is read: with `Range` and `If-Range`, as
    /// often as retries, budget and deadline allow, counted anew from each byte that arrives.
    ///
    /// It takes a strong `ETag`, and a server that answers 206 with exactly what is missing. Whatever else it answers is an error: never are two
    /// versions put together. Without such an `ETag`, a body that breaks off is an error as usual. Compression is turned off.
    pub fn resume(mut self) -> Request {
        self.does_resume = true;
        self.with(|request| {
            if request.method() != Method::GET || request.headers().contains_key(RANGE) {
                return Err(Error::request("only a GET without a range can be resumed"));
            }
            request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            Ok(())
        })
    }

    /// A name for requests of this sort, for the span: few, and none with an id in it.
    pub fn tag(mut self, tag: &'static str) -> Request {
        self.tag = tag;
        self
    }

    /// Sends it, and returns when the headers of the response are there.
    ///
    /// Whatever the status, it is a response; if it was one to try again, that has been done.
    ///
    /// # Errors
    ///
    /// When there is no response after all attempts, or nothing was sent: see [`Kind`](crate::Kind).
    ///
    /// # Panics
    ///
    /// When polled outside of a tokio runtime with I/O and time.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the attempt that is under way and starts no other; a request that may have been sent is not taken back. A
    /// retry that has not begun is given back to the budget.
    pub async fn send(self) -> Result<Response> {
        self.run(false).await
    }

    /// Sends it, and reads the body of the response as JSON. The body is part of an attempt: if it breaks off, what may be tried again is.
    ///
    /// # Errors
    ///
    /// As [`send`](Request::send), and when the status is 4xx or 5xx, or the body is too long or not such JSON.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Request::send).
    pub async fn json<T: DeserializeOwned>(self) -> Result<T> {
        self.run(true).await?.json().await
    }

    /// Sends it, and reads the body of the response as text. The body is part of an attempt.
    ///
    /// # Errors
    ///
    /// As [`send`](Request::send), and when the status is 4xx or 5xx, or the body is too long.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Request::send).
    pub async fn text(self) -> Result<String> {
        self.run(true).await?.text().await
    }

    /// Sends it, and reads the body of the response. The body is part of an attempt.
    ///
    /// # Errors
    ///
    /// As [`text`](Request::text).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Request::send).
    pub async fn bytes(self) -> Result<Bytes> {
        self.run(true).await?.bytes().await
    }

    /// Sends it, and writes the body of the response while it arrives. Returns how long it was. With [`resume`](Request::resume), it goes on
    /// where it breaks off; without, that is an error.
    ///
    /// # Errors
    ///
    /// As [`text`](Request::text), without a limit of length, and when writing fails. What has arrived before is written.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Request::send); some of the body may have been written.
    pub async fn download_to(self, writer: impl AsyncWrite + Unpin) -> Result<u64> {
        self.run(false).await?.download_to(writer).await
    }

    async fn run(self, reads_whole: bool) -> Result<Response> {
        let request = self.inner?;
        let plan = Plan {
            deadline: self.deadline,
            attempt_timeout: self.attempt_timeout,
            may_retry: self.may_retry,
            // What resumes is read afterwards, for its body has attempts of its own.
            reads_whole: reads_whole && !self.does_resume,
        };
        let operation = Operation::new(self.shared, request, self.body, self.tag, plan);
        if self.does_resume { operation.run_and_resume().await } else { operation.run().await }
    }
}

fn name_of<N>(name: N) -> Result<HeaderName>
where
    HeaderName: TryFrom<N>,
{
    let name = HeaderName::try_from(name);
    let name = name.map_err(|_| Error::request("the name of a header is invalid"))?;
    check_name(&name)?;
    Ok(name)
}

/// These follow from the body; another length than its own would make the server wait.
fn check_name(name: &HeaderName) -> Result<()> {
    if matches!(*name, CONTENT_LENGTH | TRANSFER_ENCODING) {
        return Err(Error::request("content-length and transfer-encoding cannot be set"));
    }
    Ok(())
}

fn value_of<V>(value: V) -> Result<HeaderValue>
where
    HeaderValue: TryFrom<V>,
{
    HeaderValue::try_from(value).map_err(|_| Error::request("the value of a header is invalid"))
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, url) = match &self.inner {
            Ok(request) => {
                (Some(request.method()), Some(crate::redact::Redacted(request.url()).to_string()))
            }
            Err(_) => (None, None),
        };
        f.debug_struct("Request")
            .field("method", &method)
            .field("url", &url)
            .field("error", &self.inner.as_ref().err())
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}
