//! Retries as a layer.

use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use tokio::time::Instant;
use tower_layer::Layer as _;
use tower_service::Service;
use underpin_retry::{Budget, Jitter, Retry, Verdict};

use crate::secs;

/// Answers 503 until it has been asked so often, and counts.
#[derive(Clone)]
struct Flaky {
    healthy_from: u32,
    asked: Arc<AtomicU32>,
}

impl Service<&'static str> for Flaky {
    type Response = u16;
    type Error = &'static str;
    type Future = Ready<Result<u16, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: &'static str) -> Self::Future {
        let asked = self.asked.fetch_add(1, Relaxed) + 1;
        ready(match request {
            "broken" => Err("broken"),
            _ if asked < self.healthy_from => Ok(503),
            _ => Ok(200),
        })
    }
}

fn classify(result: Result<&u16, &&'static str>) -> Option<Verdict> {
    match result {
        Ok(503) => Some(Verdict::Retry),
        Ok(_) => None,
        Err(_) => Some(Verdict::Final),
    }
}

fn flaky(healthy_from: u32) -> Flaky {
    Flaky { healthy_from, asked: Arc::default() }
}

fn retry() -> Retry {
    Retry::exponential(secs(1)..=secs(10)).jitter(Jitter::None)
}

#[tokio::test(start_paused = true)]
async fn response_that_is_an_error_is_tried_again() {
    let begin = Instant::now();
    let mut service = retry().layer(classify).layer(flaky(3));
    assert_eq!(service.call("hello").await, Ok(200));
    assert_eq!(begin.elapsed(), secs(3));
}

#[tokio::test(start_paused = true)]
async fn last_response_is_returned_as_it_is() {
    let inner = flaky(100);
    let mut service = retry().layer(classify).layer(inner.clone());
    assert_eq!(service.call("hello").await, Ok(503));
    assert_eq!(inner.asked.load(Relaxed), 4);
}

#[tokio::test(start_paused = true)]
async fn final_error_is_returned_at_once() {
    let inner = flaky(1);
    let mut service = retry().layer(classify).layer(inner.clone());
    assert_eq!(service.call("broken").await, Err("broken"));
    assert_eq!(inner.asked.load(Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn layer_draws_on_the_budget() {
    let budget = Budget::ratio(0.0).burst(1);
    let inner = flaky(100);
    let mut service = retry().budget(&budget).layer(classify).layer(inner.clone());
    assert_eq!(service.call("hello").await, Ok(503));
    assert_eq!(inner.asked.load(Relaxed), 2);
}

/// A service that is ready only at the second poll.
#[derive(Clone, Default)]
struct Slow {
    asked: bool,
    is_ready: bool,
}

impl Service<()> for Slow {
    type Response = ();
    type Error = ();
    type Future = Pin<Box<dyn Future<Output = Result<(), ()>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        if self.asked {
            self.is_ready = true;
            return Poll::Ready(Ok(()));
        }
        self.asked = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, (): ()) -> Self::Future {
        assert!(self.is_ready, "a service is called when it is ready");
        Box::pin(ready(Ok(())))
    }
}

#[tokio::test(start_paused = true)]
async fn readiness_is_awaited_for_each_attempt() {
    let mut service = retry().layer(|_: Result<&(), &()>| None).layer(Slow::default());
    assert_eq!(service.call(()).await, Ok(()));
}
