//! The client.

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{Method, Url};
use underpin_retry::Retry;

use crate::{
    body::Body, builder::Builder, error::Error, error::Result, hedge::Hedge, hosts::Hosts,
    pace::Pace, request::Request, response::Response,
};

/// An HTTP client. Clones are the same client: they share connections, retry budgets, breakers and pauses.
///
/// ```
/// # fn main() -> underpin_httpx::Result<()> {
/// let http = underpin_httpx::Client::builder().base_url("https://api.example.com/v1/").build()?;
/// let request = http.get("users/42");
/// # drop(request); Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) http: reqwest::Client,
    pub(crate) hosts: Hosts,
    pub(crate) pace: Pace,
    pub(crate) settings: Settings,
}

#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) base: Option<Url>,
    pub(crate) deadline: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) read_timeout: Option<Duration>,
    pub(crate) max_body: usize,
    pub(crate) redirects: usize,
    pub(crate) does_pause: bool,
    pub(crate) retry: Retry,
    pub(crate) hedge: Option<Hedge>,
}

impl Client {
    /// A client with settings of its own. [`Builder::build`] makes it.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn new(
        http: reqwest::Client,
        hosts: Hosts,
        pace: Pace,
        settings: Settings,
    ) -> Client {
        Client { shared: Arc::new(Shared { http, hosts, pace, settings }) }
    }

    /// A GET request.
    pub fn get(&self, url: impl AsRef<str>) -> Request {
        self.request(Method::GET, url)
    }

    /// A HEAD request.
    pub fn head(&self, url: impl AsRef<str>) -> Request {
        self.request(Method::HEAD, url)
    }

    /// A POST request. Without [`Request::idempotent`], it is only sent again where it is certain that it was not processed.
    pub fn post(&self, url: impl AsRef<str>) -> Request {
        self.request(Method::POST, url)
    }

    /// A PUT request.
    pub fn put(&self, url: impl AsRef<str>) -> Request {
        self.request(Method::PUT, url)
    }

    /// A PATCH request. As for [`post`](Client::post), it is not idempotent by itself.
    pub fn patch(&self, url: impl AsRef<str>) -> Request {
        self.request(Method::PATCH, url)
    }

    /// A DELETE request.
    pub fn delete(&self, url: impl AsRef<str>) -> Request {
        self.request(Method::DELETE, url)
    }

    /// A request with any method. The URL is absolute, or relative to [`Builder::base_url`]; if it is neither, the request says so when it is
    /// sent. A relative URL cannot lead to another host.
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> Request {
        let request = self.resolve(url.as_ref()).and_then(|url| {
            // It is reqwest that knows what becomes of `user:password@`.
            let built = self.shared.http.request(method, url).build();
            built.map_err(|error| Error::request("the URL is invalid").because_of(error))
        });
        Request::new(self.shared.clone(), request, Body::default())
    }

    fn resolve(&self, text: &str) -> Result<Url> {
        let base = self.shared.settings.base.as_ref();
        let invalid = |error| Error::request("the URL is invalid").because(error);
        match (Url::parse(text), base) {
            (Ok(_), _) if !has_host(text) => {
                Err(Error::request("the URL has a scheme and no //host behind it"))
            }
            (Ok(url), _) => Ok(url),
            (Err(url::ParseError::RelativeUrlWithoutBase), Some(base)) => {
                let joined = base.join(text).map_err(invalid)?;
                if joined.origin() != base.origin() {
                    return Err(Error::request("the URL is relative, and leads to another host"));
                }
                Ok(joined)
            }
            (Err(error), _) => Err(invalid(error)),
        }
    }

    /// Sends a request that was made with reqwest. Its timeout, if it has one, is that of an attempt.
    ///
    /// # Errors
    ///
    /// As [`Request::send`].
    ///
    /// # Cancel safety
    ///
    /// As [`Request::send`].
    pub async fn execute(&self, mut request: reqwest::Request) -> Result<Response> {
        let body = request.body_mut().take().map_or_else(Body::default, |body| {
            let bytes = body.as_bytes().map(bytes::Bytes::copy_from_slice);
            bytes.map_or_else(|| Body::once_only(body), Body::from)
        });
        let timeout = request.timeout_mut().take();
        let request = Request::new(self.shared.clone(), Ok(request), body);
        match timeout {
            Some(timeout) => request.attempt_timeout(timeout).send().await,
            None => request.send().await,
        }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The client below, for what this one does not do. Requests that it sends itself have no deadline, no retries and no breaker.
    pub fn inner(&self) -> &reqwest::Client {
        &self.shared.http
    }
}

/// Whether there is a `//` behind the scheme. Parsers take `http:users` for an absolute URL, and for a relative one beside another.
fn has_host(url: &str) -> bool {
    url.split_once(':').is_some_and(|(_, rest)| rest.starts_with("//"))
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("settings", &self.settings).finish_non_exhaustive()
    }
}
