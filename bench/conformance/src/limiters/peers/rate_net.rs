//! rate-net.

use std::{sync::Arc, time::Duration};

use rate_net::{Algorithm, AsyncLimiter, Decision, Eviction, RateLimiter};

use crate::{
    limiters::{Answer, Contender, Kind, Limiter, Quota, Wait, clock::Clock},
    verdict::Stop,
};

/// The crate.
pub struct RateNet;

/// Where it means something else.
pub const BY_DESIGN: &[(&str, &str)] = &[
    (
        "a new key is let in when the room is used up",
        "beyond what it remembers of keys that had to go, a new one is refused, unless `Overflow::Forget` is chosen",
    ),
    (
        "waits are granted in their order",
        "all who wait ask again when they are told to; there is no queue",
    ),
];

struct Inner {
    limiter: Arc<AsyncLimiter<Clock>>,
    clock: Clock,
}

impl Contender for RateNet {
    fn limiter(&self, quota: Quota) -> Result<Box<dyn Limiter>, Stop> {
        let algorithm = match quota.kind {
            Kind::Smooth => Algorithm::TokenBucket,
            Kind::Window => Algorithm::SlidingWindowLog,
        };
        let clock = Clock::new();
        let mut builder =
            RateLimiter::builder().algorithm(algorithm).quota(quota.count, quota.time);
        if quota.kind == Kind::Smooth {
            builder = builder.burst(quota.burst);
        }
        if let Some(keys) = quota.keys {
            builder = builder.eviction(Eviction::capacity(keys));
        }
        let limiter = builder.clock(clock.clone()).try_build();
        let limiter = limiter.map_err(|_| Stop::Cannot("its builder refuses this quota"))?;
        Ok(Box::new(Inner { limiter: Arc::new(AsyncLimiter::new(limiter)), clock }))
    }
}

impl Limiter for Inner {
    fn check(&self, key: u64, n: u32) -> Result<Answer, Stop> {
        Ok(match self.limiter.check_n(key, n) {
            decision if decision.is_impossible() => Answer::Never,
            Decision::Allow => Answer::Granted,
            decision => Answer::Denied(decision.retry_after()),
        })
    }

    fn check_behind(&self, key: u64, behind: Duration) -> Result<Answer, Stop> {
        self.clock.behind(behind, || self.check(key, 1))
    }

    fn kept(&self) -> Result<usize, Stop> {
        Ok(self.limiter.inner().tracked_keys())
    }

    fn wait(&self, n: u32, within: Option<Duration>) -> Result<Wait, Stop> {
        if within.is_some() {
            return Err(Stop::Cannot("a wait has no limit of its own"));
        }
        let limiter = self.limiter.clone();
        Ok(Box::pin(async move { limiter.try_until_ready_n(0_u64, n).await.is_ok() }))
    }
}
