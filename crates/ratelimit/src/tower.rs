//! The limiter as a layer.

use std::{
    fmt,
    future::Future,
    hash::Hash,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    limiter::Limiter,
    outcome::{Denied, Granted},
};

/// Puts a limiter in front of an HTTP service.
///
/// A request above the limit is answered with 429 and is not passed on. Responses have the headers of [`Limiter::add_headers`], denials also `Retry-After`.
///
/// Limits of several layers are counted one after the other: what an inner one denies, an outer one has counted.
/// [`check_all`](crate::check_all) counts for all or none.
#[derive(Debug, Clone)]
pub struct RateLimitLayer<F, R = EmptyBody> {
    limiter: Limiter,
    key: F,
    reject: R,
}

/// The service of [`RateLimitLayer`].
#[derive(Debug, Clone)]
pub struct RateLimitService<S, F, R = EmptyBody> {
    service: S,
    limiter: Limiter,
    key: F,
    reject: R,
}

/// A response with nothing but its status and headers.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EmptyBody;

/// Answers what is denied: a closure of [`RateLimitLayer::reject_with`], or [`EmptyBody`].
pub trait Reject<B> {
    #[doc(hidden)]
    fn reject(&self, denied: &Denied) -> Response<B>;
}

impl<B: Default> Reject<B> for EmptyBody {
    fn reject(&self, _: &Denied) -> Response<B> {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        response
    }
}

impl<B, F: Fn(&Denied) -> Response<B>> Reject<B> for F {
    fn reject(&self, denied: &Denied) -> Response<B> {
        self(denied)
    }
}

impl<F> RateLimitLayer<F> {
    /// `key` says by what a request is counted, such as by a [`ClientIp`](crate::ClientIp) or by a user; one without a key is not limited.
    pub fn new<B, K>(limiter: Limiter, key: F) -> RateLimitLayer<F>
    where
        F: Fn(&Request<B>) -> Option<K>,
        K: Hash,
    {
        RateLimitLayer { limiter, key, reject: EmptyBody }
    }

    /// Answers what is denied, such as with a problem document. The headers are added to it.
    pub fn reject_with<R, B>(self, reject: R) -> RateLimitLayer<F, R>
    where
        R: Fn(&Denied) -> Response<B>,
    {
        RateLimitLayer { limiter: self.limiter, key: self.key, reject }
    }
}

impl<S, F: Clone, R: Clone> Layer<S> for RateLimitLayer<F, R> {
    type Service = RateLimitService<S, F, R>;

    fn layer(&self, service: S) -> RateLimitService<S, F, R> {
        let RateLimitLayer { limiter, key, reject } = self.clone();
        RateLimitService { service, limiter, key, reject }
    }
}

impl<S, F, R, K, A, B> Service<Request<A>> for RateLimitService<S, F, R>
where
    S: Service<Request<A>, Response = Response<B>>,
    F: Fn(&Request<A>) -> Option<K>,
    K: Hash,
    R: Reject<B>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = RateLimitFuture<S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> RateLimitFuture<S::Future, B> {
        let checked = (self.key)(&request).map(|key| self.limiter.check(&key)).transpose();
        let stage = match checked {
            Ok(granted) => Stage::Called {
                call: self.service.call(request),
                granted: granted.map(|granted| (self.limiter.clone(), granted)),
            },
            Err(denied) => {
                let mut response = self.reject.reject(&denied);
                denied.add_headers(response.headers_mut());
                Stage::Denied { response: Some(response) }
            }
        };
        RateLimitFuture { stage }
    }
}

pin_project! {
    /// The future of [`RateLimitService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct RateLimitFuture<F, B> {
        #[pin]
        stage: Stage<F, B>,
    }
}

pin_project! {
    #[project = Now]
    enum Stage<F, B> {
        Denied { response: Option<Response<B>> },
        Called { #[pin] call: F, granted: Option<(Limiter, Granted)> },
    }
}

impl<F, B, E> Future for RateLimitFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().stage.project() {
            Now::Denied { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                None => Poll::Pending,
            },
            Now::Called { call, granted } => {
                let mut response = ready!(call.poll(cx))?;
                if let Some((limiter, granted)) = granted.take() {
                    limiter.add_headers(&granted, response.headers_mut());
                }
                Poll::Ready(Ok(response))
            }
        }
    }
}

impl<F, B> fmt::Debug for RateLimitFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitFuture").finish_non_exhaustive()
    }
}
