//! throttle-net.

use std::{sync::Arc, time::Duration};

use throttle_net::{
    Decision, Eviction, Hybrid, Limiter as Theirs, PerKey, SlidingWindowLog, Throttle,
};

use crate::{
    limiters::{Answer, Both, Contender, Kind, Limiter, Quota, Wait, clock::Clock},
    verdict::Stop,
};

/// The crate.
pub struct ThrottleNet;

/// Where it means something else.
pub const BY_DESIGN: &[(&str, &str)] = &[(
    "a new key is let in when the room is used up",
    "where all keys are at their limit, a new one is refused, unless `WhenFull::ForgetDebt` is chosen",
)];

/// By key, as its buckets are.
struct Buckets {
    limiter: Arc<PerKey<u64, Clock>>,
    clock: Clock,
}

/// Its exact window has no keys.
struct Window {
    limiter: Arc<SlidingWindowLog<Clock>>,
    clock: Clock,
}

impl Contender for ThrottleNet {
    fn limiter(&self, quota: Quota) -> Result<Box<dyn Limiter>, Stop> {
        let clock = Clock::new();
        if quota.kind == Kind::Window {
            if quota.keys.is_some() {
                return Err(Stop::Cannot("its exact window has no keys"));
            }
            let limiter = SlidingWindowLog::new(quota.count, quota.time).with_clock(clock.clone());
            return Ok(Box::new(Window { limiter: Arc::new(limiter), clock }));
        }
        let mut builder = PerKey::builder().rate(quota.count, quota.time).burst(quota.burst);
        if let Some(keys) = quota.keys {
            builder = builder.eviction(Eviction::capacity(keys));
        }
        let limiter = builder.clock(clock.clone()).try_build();
        let limiter = limiter.map_err(|_| Stop::Cannot("its builder refuses this quota"))?;
        Ok(Box::new(Buckets { limiter: Arc::new(limiter), clock }))
    }

    fn both(&self) -> Result<Box<dyn Both>, Stop> {
        let second: Arc<dyn Theirs> = Arc::new(Throttle::per_second(10).with_clock(Clock::new()));
        let first = Throttle::per_second(1).with_clock(Clock::new());
        let both = Hybrid::builder().limiter(first).shared(second.clone()).build();
        Ok(Box::new(Two { both, second }))
    }
}

struct Two {
    both: Hybrid,
    second: Arc<dyn Theirs>,
}

impl Both for Two {
    fn ask(&self) -> bool {
        self.both.try_acquire()
    }

    fn ask_second(&self) -> bool {
        self.second.acquire_cost(1).is_acquired()
    }
}

fn answer(granted: bool, look: impl FnOnce() -> Decision) -> Answer {
    if granted {
        return Answer::Granted;
    }
    match look() {
        Decision::Impossible => Answer::Never,
        decision => Answer::Denied(decision.retry_after()),
    }
}

impl Limiter for Buckets {
    fn check(&self, key: u64, n: u32) -> Result<Answer, Stop> {
        let granted = self.limiter.try_acquire_with_cost(&key, n);
        Ok(answer(granted, || self.limiter.peek(&key, n)))
    }

    fn check_behind(&self, key: u64, behind: Duration) -> Result<Answer, Stop> {
        self.clock.behind(behind, || self.check(key, 1))
    }

    fn kept(&self) -> Result<usize, Stop> {
        Ok(self.limiter.len())
    }

    fn wait(&self, n: u32, within: Option<Duration>) -> Result<Wait, Stop> {
        let limiter = self.limiter.clone();
        Ok(Box::pin(async move {
            match within {
                None => limiter.acquire_with_cost(&0, n).await.is_ok(),
                Some(time) => limiter.acquire_with_cost_timeout(&0, n, time).await.is_ok(),
            }
        }))
    }
}

impl Limiter for Window {
    fn check(&self, _: u64, n: u32) -> Result<Answer, Stop> {
        Ok(answer(self.limiter.try_acquire_with_cost(n), || self.limiter.peek(n)))
    }

    fn check_behind(&self, key: u64, behind: Duration) -> Result<Answer, Stop> {
        self.clock.behind(behind, || self.check(key, 1))
    }
}
