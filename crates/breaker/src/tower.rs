//! The breaker as a layer.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    breaker::Breaker,
    permit::{Outcome, OwnedPermit},
    rejected::{Error, Rejected},
};

/// Puts a breaker in front of a service.
///
/// The permit is taken in `call`, and without one the service is not called: a service that was found ready may never be called, and a
/// permit taken then would be lost. A rejection does not wait for the service to be ready, so the layer is always ready itself; each call
/// awaits a clone of the service.
#[derive(Debug, Clone)]
pub struct BreakerLayer<C> {
    breaker: Breaker,
    classify: C,
}

/// The service of [`BreakerLayer`].
#[derive(Debug, Clone)]
pub struct BreakerService<S, C> {
    service: S,
    breaker: Breaker,
    classify: C,
}

pin_project! {
    /// The future of [`BreakerService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct BreakerFuture<S, C, Request>
    where
        S: Service<Request>,
    {
        #[pin]
        stage: Stage<S, S::Future, Request>,
        permit: Option<OwnedPermit>,
        classify: C,
    }
}

pin_project! {
    #[project = Now]
    enum Stage<S, F, Request> {
        Rejected { rejected: Option<Rejected> },
        Readying { service: S, request: Option<Request> },
        Called { #[pin] call: F },
    }
}

impl<C> BreakerLayer<C> {
    /// `classify` says how a result counts, also a response that is an error in disguise, such as a 503.
    pub fn new(breaker: Breaker, classify: C) -> BreakerLayer<C> {
        BreakerLayer { breaker, classify }
    }
}

impl<S, C: Clone> Layer<S> for BreakerLayer<C> {
    type Service = BreakerService<S, C>;

    fn layer(&self, service: S) -> BreakerService<S, C> {
        let (breaker, classify) = (self.breaker.clone(), self.classify.clone());
        BreakerService { service, breaker, classify }
    }
}

impl<S, C, Request> Service<Request> for BreakerService<S, C>
where
    S: Service<Request> + Clone,
    C: FnOnce(Result<&S::Response, &S::Error>) -> Outcome + Clone,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = BreakerFuture<S, C, Request>;

    /// Always ready.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> BreakerFuture<S, C, Request> {
        let classify = self.classify.clone();
        match self.breaker.try_acquire_owned() {
            Ok(permit) => {
                let (service, request) = (self.service.clone(), Some(request));
                BreakerFuture {
                    stage: Stage::Readying { service, request },
                    permit: Some(permit),
                    classify,
                }
            }
            Err(rejected) => {
                let stage = Stage::Rejected { rejected: Some(rejected) };
                BreakerFuture { stage, permit: None, classify }
            }
        }
    }
}

impl<S, C, Request> Future for BreakerFuture<S, C, Request>
where
    S: Service<Request>,
    C: FnOnce(Result<&S::Response, &S::Error>) -> Outcome + Clone,
{
    type Output = Result<S::Response, Error<S::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // Held here during the poll, so that a panic drops it while the thread is panicking, whoever catches that.
        let permit = this.permit.take();
        let result = loop {
            match this.stage.as_mut().project() {
                Now::Rejected { rejected } => match rejected.take() {
                    Some(rejected) => return Poll::Ready(Err(Error::Rejected(rejected))),
                    None => return Poll::Pending,
                },
                Now::Readying { service, request } => match service.poll_ready(cx) {
                    Poll::Ready(Ok(())) => {
                        let Some(request) = request.take() else { return Poll::Pending };
                        let call = service.call(request);
                        this.stage.set(Stage::Called { call });
                    }
                    Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                    Poll::Pending => break Poll::Pending,
                },
                Now::Called { call } => break call.poll(cx),
            }
        };
        let Poll::Ready(result) = result else {
            *this.permit = permit;
            return Poll::Pending;
        };
        if let Some(permit) = permit {
            permit.record(this.classify.clone()(result.as_ref()));
        }
        Poll::Ready(result.map_err(Error::Inner))
    }
}

impl<S: Service<Request>, C, Request> fmt::Debug for BreakerFuture<S, C, Request> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerFuture").field("permit", &self.permit).finish_non_exhaustive()
    }
}
