//! tower-resilience-ratelimiter.

use std::{
    future::{Ready, ready},
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tower::{Layer, Service, ServiceExt};
use tower_resilience_ratelimiter::{RateLimiter, RateLimiterLayer, WindowType};

use crate::{
    limiters::{Answer, Contender, Kind, Limiter, Quota, Wait},
    verdict::Stop,
};

/// The crate.
pub struct TowerResilience;

/// Where it means something else.
pub const BY_DESIGN: &[(&str, &str)] = &[(
    "waits are granted in their order",
    "nothing is held while waiting; all who wait ask again",
)];

/// How long to wait belongs to the layer, so that there is one for each wait; a case either checks or waits always the same time.
struct Inner {
    checks: RateLimiter<Granted>,
    waits: RateLimiter<Granted>,
    short_waits: RateLimiter<Granted>,
}

const SHORT: Duration = Duration::from_millis(100);

/// The service behind it.
#[derive(Clone)]
struct Granted;

impl Service<()> for Granted {
    type Response = ();
    type Error = ();
    type Future = Ready<Result<(), ()>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Ok(()))
    }
}

impl Contender for TowerResilience {
    fn limiter(&self, quota: Quota) -> Result<Box<dyn Limiter>, Stop> {
        if quota.keys.is_some() {
            return Err(Stop::Cannot("it has no keys"));
        }
        Ok(Box::new(Inner {
            checks: service(quota, Duration::ZERO)?,
            waits: service(quota, Duration::from_secs(60))?,
            short_waits: service(quota, SHORT)?,
        }))
    }
}

fn service(quota: Quota, wait: Duration) -> Result<RateLimiter<Granted>, Stop> {
    let builder = RateLimiterLayer::builder().timeout_duration(wait);
    let builder = match quota.kind {
        Kind::Window => builder
            .window_type(WindowType::SlidingLog)
            .limit_for_period(quota.count as usize)
            .refresh_period(quota.time),
        // What it holds at once is the limit of a period and the burst beyond that.
        Kind::Smooth if quota.burst >= quota.count => builder
            .limit_for_period(quota.count as usize)
            .refresh_period(quota.time)
            .burst_size((quota.burst - quota.count) as usize),
        Kind::Smooth => builder
            .limit_for_period(1)
            .refresh_period(quota.time / quota.count)
            .burst_size(quota.burst as usize - 1),
    };
    let layer = builder.build().map_err(|_| Stop::Cannot("its builder refuses this quota"))?;
    Ok(layer.layer(Granted))
}

impl Limiter for Inner {
    fn check(&self, _: u64, n: u32) -> Result<Answer, Stop> {
        if n != 1 {
            return Err(Stop::Cannot("a request is for one"));
        }
        let request = pin!(self.checks.clone().oneshot(()));
        Ok(match request.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Answer::Granted,
            Poll::Ready(Err(_)) | Poll::Pending => Answer::Denied(None),
        })
    }

    fn wait(&self, n: u32, within: Option<Duration>) -> Result<Wait, Stop> {
        if n != 1 {
            return Err(Stop::Cannot("a request is for one"));
        }
        let service = match within {
            None => self.waits.clone(),
            Some(within) => {
                assert_eq!(within, SHORT, "the cases have one short wait");
                self.short_waits.clone()
            }
        };
        Ok(Box::pin(async move { service.oneshot(()).await.is_ok() }))
    }
}
