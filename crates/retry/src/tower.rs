//! Retries as a layer, for services whose requests can be cloned.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    retry::Retry,
    session::{Session, Verdict},
};

impl Retry {
    /// A layer that tries requests again. `classify` sees every result, also a response that is an error in disguise, such as a 503, and
    /// says `None` when it is an answer.
    ///
    /// The caller gets the last result itself, whatever it is. Each attempt uses a clone of the service and of the request; where
    /// cloning is expensive, use [`Retry::run`]. The service's readiness is awaited as part of the attempt.
    pub fn layer<C>(&self, classify: C) -> RetryLayer<C> {
        RetryLayer { retry: self.clone(), classify }
    }
}

/// The layer of [`Retry::layer`].
#[derive(Debug, Clone)]
pub struct RetryLayer<C> {
    retry: Retry,
    classify: C,
}

/// The service of [`RetryLayer`].
#[derive(Debug, Clone)]
pub struct RetryService<S, C> {
    service: S,
    retry: Retry,
    classify: C,
}

pin_project! {
    /// The future of [`RetryService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct RetryFuture<S, C, Request>
    where
        S: Service<Request>,
    {
        service: S,
        request: Request,
        classify: C,
        session: Session,
        #[pin]
        state: State<S, S::Future>,
    }
}

pin_project! {
    #[project = Now]
    enum State<S, F> {
        Between,
        Readying { service: S },
        Trying { #[pin] attempt: F },
        Waiting { #[pin] sleep: Sleep },
    }
}

impl<S, C: Clone> Layer<S> for RetryLayer<C> {
    type Service = RetryService<S, C>;

    fn layer(&self, service: S) -> RetryService<S, C> {
        RetryService { service, retry: self.retry.clone(), classify: self.classify.clone() }
    }
}

impl<S, C, Request> Service<Request> for RetryService<S, C>
where
    S: Service<Request> + Clone,
    Request: Clone,
    C: Fn(Result<&S::Response, &S::Error>) -> Option<Verdict> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RetryFuture<S, C, Request>;

    /// Always ready: the service is asked when the attempt begins.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> RetryFuture<S, C, Request> {
        RetryFuture {
            service: self.service.clone(),
            request,
            classify: self.classify.clone(),
            session: self.retry.begin(),
            state: State::Between,
        }
    }
}

impl<S, C, Request> Future for RetryFuture<S, C, Request>
where
    S: Service<Request> + Clone,
    Request: Clone,
    C: Fn(Result<&S::Response, &S::Error>) -> Option<Verdict>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let result = match this.state.as_mut().project() {
                Now::Between => {
                    let service = this.service.clone();
                    this.state.set(State::Readying { service });
                    continue;
                }
                Now::Readying { service } => match ready!(service.poll_ready(cx)) {
                    Ok(()) => {
                        this.session.attempt();
                        let attempt = service.call(this.request.clone());
                        this.state.set(State::Trying { attempt });
                        continue;
                    }
                    Err(error) => Err(error),
                },
                Now::Trying { attempt } => ready!(attempt.poll(cx)),
                Now::Waiting { sleep } => {
                    ready!(sleep.poll(cx));
                    this.state.set(State::Between);
                    continue;
                }
            };
            this.state.set(State::Between);
            let next = (this.classify)(result.as_ref())
                .and_then(|verdict| this.session.failed(verdict, Instant::now()).ok());
            match next {
                Some(next) => this.state.set(State::Waiting { sleep: sleep_until(next) }),
                None => return Poll::Ready(result),
            }
        }
    }
}

impl<S: Service<Request>, C, Request> fmt::Debug for RetryFuture<S, C, Request> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryFuture").field("session", &self.session).finish_non_exhaustive()
    }
}
