//! governor.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    Quota as Theirs, RateLimiter, middleware::NoOpMiddleware, state::keyed::DashMapStateStore,
};

use crate::{
    limiters::{Answer, Contender, Kind, Limiter, Quota, Wait, clock::Clock},
    verdict::Stop,
};

/// The crate.
pub struct Governor;

/// Where it means something else.
pub const BY_DESIGN: &[(&str, &str)] = &[
    (
        "keys stay within their room",
        "there is one state for each key until the program calls `retain_recent`, which it should now and then",
    ),
    (
        "waits are granted in their order",
        "all who wait ask again when they are told to, and jitter is recommended where they are many",
    ),
];

type Keyed = RateLimiter<u64, DashMapStateStore<u64>, Clock, NoOpMiddleware<Duration>>;

struct Inner {
    limiter: Arc<Keyed>,
    clock: Clock,
}

fn some(n: u32) -> Result<NonZeroU32, Stop> {
    NonZeroU32::new(n).ok_or(Stop::Cannot("a request is for at least one"))
}

impl Contender for Governor {
    fn limiter(&self, quota: Quota) -> Result<Box<dyn Limiter>, Stop> {
        if quota.kind == Kind::Window {
            return Err(Stop::Cannot("its one algorithm is GCRA"));
        }
        // Every quota here is one of a second.
        let theirs = Theirs::per_second(some(quota.count)?).allow_burst(some(quota.burst)?);
        let clock = Clock::new();
        let limiter = RateLimiter::new(theirs, DashMapStateStore::default(), clock.clone());
        Ok(Box::new(Inner { limiter: Arc::new(limiter), clock }))
    }
}

impl Limiter for Inner {
    fn check(&self, key: u64, n: u32) -> Result<Answer, Stop> {
        Ok(match self.limiter.check_key_n(&key, some(n)?) {
            Ok(Ok(())) => Answer::Granted,
            Ok(Err(until)) => Answer::Denied(Some(until.wait_time_from(self.clock.since()))),
            Err(_) => Answer::Never,
        })
    }

    fn check_behind(&self, key: u64, behind: Duration) -> Result<Answer, Stop> {
        self.clock.behind(behind, || self.check(key, 1))
    }

    fn kept(&self) -> Result<usize, Stop> {
        Ok(self.limiter.len())
    }

    fn wait(&self, n: u32, within: Option<Duration>) -> Result<Wait, Stop> {
        if within.is_some() {
            return Err(Stop::Cannot("a wait has no limit of its own"));
        }
        let (limiter, n) = (self.limiter.clone(), some(n)?);
        Ok(Box::pin(async move { limiter.until_key_n_ready(&0, n).await.is_ok() }))
    }
}
