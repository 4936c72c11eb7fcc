//! underpin-ratelimit.

use std::time::Duration;

use tokio::time::Instant;
use underpin_ratelimit::{Denied, Granted, Limit, Limiter as Inner, Why, check_all};

use crate::{
    limiters::{Answer, Both, Contender, Kind, Limiter, Quota, Wait},
    verdict::Stop,
};

/// The crate.
pub struct Ours;

/// Where it means something else.
pub const BY_DESIGN: &[(&str, &str)] = &[(
    "a new key is let in when the room is used up",
    "a key that finds no room is denied, unless the limiter is told to forget the one that loses least",
)];

impl Contender for Ours {
    fn limiter(&self, quota: Quota) -> Result<Box<dyn Limiter>, Stop> {
        let limit = match quota.kind {
            Kind::Smooth => Limit::gcra(quota.count, quota.time).burst(quota.burst),
            Kind::Window => Limit::window(quota.count, quota.time),
        };
        let builder = Inner::builder(limit);
        Ok(Box::new(match quota.keys {
            Some(keys) => builder.keys(keys).build(),
            None => builder.build(),
        }))
    }

    fn both(&self) -> Result<Box<dyn Both>, Stop> {
        let second = Duration::from_secs(1);
        Ok(Box::new(Two {
            one: Inner::new(Limit::gcra(1, second)),
            ten: Inner::new(Limit::gcra(10, second)),
        }))
    }
}

struct Two {
    one: Inner,
    ten: Inner,
}

impl Both for Two {
    fn ask(&self) -> bool {
        check_all([self.one.of(&()), self.ten.of(&())]).is_ok()
    }

    fn ask_second(&self) -> bool {
        self.ten.check(&()).is_ok()
    }
}

fn answer(asked: Result<Granted, Denied>) -> Answer {
    match asked {
        Ok(_) => Answer::Granted,
        Err(denied) if denied.why == Why::TooMany => Answer::Never,
        Err(denied) => Answer::Denied(denied.retry_after),
    }
}

impl Limiter for Inner {
    fn check(&self, key: u64, n: u32) -> Result<Answer, Stop> {
        Ok(answer(self.check_n(&key, n)))
    }

    fn check_behind(&self, key: u64, behind: Duration) -> Result<Answer, Stop> {
        Ok(answer(self.check_at(&key, 1, Instant::now().into_std() - behind)))
    }

    fn kept(&self) -> Result<usize, Stop> {
        Ok(self.keys_in_use())
    }

    fn wait(&self, n: u32, within: Option<Duration>) -> Result<Wait, Stop> {
        let (limiter, within) = (self.clone(), within.unwrap_or(Duration::from_secs(3600)));
        Ok(Box::pin(async move { limiter.acquire_n(&0, n, within).await.is_ok() }))
    }
}
