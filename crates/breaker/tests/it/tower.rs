//! The breaker as a layer.

use std::{
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use tower_layer::Layer as _;
use tower_service::Service;
use underpin_breaker::{Breaker, BreakerLayer, Error, Outcome, State, Trip};

/// Answers with what it is asked for, and counts.
#[derive(Clone, Default)]
struct Echo {
    readied: Arc<AtomicUsize>,
    called: Arc<AtomicUsize>,
}

impl Service<u16> for Echo {
    type Response = u16;
    type Error = &'static str;
    type Future = Ready<Result<u16, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        self.readied.fetch_add(1, Relaxed);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, status: u16) -> Self::Future {
        self.called.fetch_add(1, Relaxed);
        ready(if status == 0 { Err("reset") } else { Ok(status) })
    }
}

fn classify(result: Result<&u16, &&'static str>) -> Outcome {
    match result {
        Ok(500..) | Err(_) => Outcome::Failure,
        Ok(_) => Outcome::Success,
    }
}

#[tokio::test]
async fn open_does_not_touch_inner() {
    let breaker = Breaker::builder("payments").trip(Trip::consecutive(2)).build();
    let echo = Echo::default();
    let mut service = BreakerLayer::new(breaker.clone(), classify).layer(echo.clone());
    assert_eq!(service.call(404).await, Ok(404));
    assert_eq!(service.call(503).await, Ok(503));
    assert_eq!(service.call(0).await, Err(Error::Inner("reset")));
    assert_eq!(breaker.state(), State::Open);
    for _ in 0..10 {
        assert!(service.call(200).await.is_err_and(|error| error.is_rejected()));
    }
    assert_eq!((echo.readied.load(Relaxed), echo.called.load(Relaxed)), (3, 3));
}

#[tokio::test]
async fn ready_service_that_is_never_called_holds_no_permit() {
    let breaker = Breaker::builder("payments").trip(Trip::consecutive(1)).build();
    let mut service = BreakerLayer::new(breaker.clone(), classify).layer(Echo::default());
    let mut other = service.clone();
    let mut cx = Context::from_waker(std::task::Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    drop(service);
    assert_eq!(other.call(200).await, Ok(200));
}
