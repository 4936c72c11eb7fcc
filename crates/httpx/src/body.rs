//! What is sent.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

type BoxError = Box<dyn Error + Send + Sync>;

/// The body of a request.
///
/// Bytes and text can be sent any number of times; clones of them share memory. What is made while it is sent is either made again for
/// each attempt, with [`replay`](Body::replay), or sent once and not again, with [`once`](Body::once).
///
/// A `Stream` of bytes becomes an [`http_body::Body`] with `http_body_util::StreamBody`.
#[derive(Debug, Default)]
pub struct Body(Source);

#[derive(Default)]
enum Source {
    #[default]
    Empty,
    Bytes(Bytes),
    Replay(Arc<dyn Fn() -> reqwest::Body + Send + Sync>),
    /// Taken by the first attempt that sends a piece of it.
    Once(Kept),
}

impl Body {
    /// A body that is made anew for each attempt.
    pub fn replay<F, B>(make: F) -> Body
    where
        F: Fn() -> B + Send + Sync + 'static,
        B: HttpBody + Send + 'static,
        B::Data: Into<Bytes>,
        B::Error: Into<BoxError>,
    {
        Body(Source::Replay(Arc::new(move || reqwest::Body::wrap(Unshared::new(make())))))
    }

    /// A body that can be sent once. An attempt that asked for none of it, for there was no connection, has not used it up.
    pub fn once<B>(body: B) -> Body
    where
        B: HttpBody + Send + 'static,
        B::Data: Into<Bytes>,
        B::Error: Into<BoxError>,
    {
        Body::once_only(reqwest::Body::wrap(Unshared::new(body)))
    }

    pub(crate) fn once_only(body: reqwest::Body) -> Body {
        Body(Source::Once(Kept(Arc::new(Mutex::new(Some(body))))))
    }

    /// For one attempt. `None` once it has been used up.
    pub(crate) fn next(&self) -> Option<reqwest::Body> {
        match &self.0 {
            Source::Empty => Some(reqwest::Body::default()),
            Source::Bytes(bytes) => Some(bytes.clone().into()),
            Source::Replay(make) => Some(make()),
            Source::Once(kept) => kept.is_left().then(|| reqwest::Body::wrap(OnDemand::of(kept))),
        }
    }

    /// Whether two attempts can have one each at the same time.
    pub(crate) fn is_replayable(&self) -> bool {
        !matches!(self.0, Source::Once(_))
    }

    /// Whether there is one for another attempt.
    pub(crate) fn is_left(&self) -> bool {
        match &self.0 {
            Source::Empty | Source::Bytes(_) | Source::Replay(_) => true,
            Source::Once(kept) => kept.is_left(),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Body {
        Body(Source::Bytes(bytes))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body::from(Bytes::from(bytes))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body::from(Bytes::from(text))
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Body {
        Body::from(Bytes::from_static(bytes))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Body {
        Body::from(text.as_bytes())
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Empty => f.write_str("Empty"),
            Source::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Source::Replay(_) => f.write_str("Replay"),
            Source::Once(_) => f.write_str("Once"),
        }
    }
}

/// A body that can be sent once, until somebody does.
#[derive(Clone)]
struct Kept(Arc<Mutex<Option<reqwest::Body>>>);

impl Kept {
    fn with<T>(&self, look: impl FnOnce(&mut Option<reqwest::Body>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_left(&self) -> bool {
        self.with(|body| body.is_some())
    }
}

/// What an attempt gets of it: nothing, until it asks for the first piece.
struct OnDemand {
    kept: Kept,
    taken: Option<reqwest::Body>,
    /// Before the first piece.
    size: SizeHint,
}

impl OnDemand {
    fn of(kept: &Kept) -> OnDemand {
        let size = kept.with(|body| body.as_ref().map(HttpBody::size_hint).unwrap_or_default());
        OnDemand { kept: kept.clone(), taken: None, size }
    }
}

impl HttpBody for OnDemand {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if this.taken.is_none() {
            this.taken = this.kept.with(Option::take);
        }
        match &mut this.taken {
            Some(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            None => Poll::Ready(Some(Err("the body can be sent once, and has been".into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.taken {
            Some(body) => body.is_end_stream(),
            None => self.size.exact() == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.taken.as_ref().map_or_else(|| self.size, HttpBody::size_hint)
    }
}

/// A body that reqwest may share between threads, although it cannot. It has one owner at a time, so nobody ever waits for the lock.
struct Unshared<B>(Mutex<Pin<Box<B>>>);

impl<B> Unshared<B> {
    fn new(body: B) -> Unshared<B> {
        Unshared(Mutex::new(Box::pin(body)))
    }
}

impl<B> HttpBody for Unshared<B>
where
    B: HttpBody,
    B::Data: Into<Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let body = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        body.as_mut().poll_frame(cx).map_ok(|frame| frame.map_data(Into::into))
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
