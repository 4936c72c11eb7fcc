//! What a keyed rate limiter takes to say yes, and to say no.
//!
//! A key is a number. With 10,000 keys, each thread goes through them in an order that looks random. With two threads, both ask the same limiter.

use std::{hint::black_box, num::NonZeroU32, sync::Arc, time::Duration};

use governor::{DefaultKeyedRateLimiter, Quota};
use measure::{Shared, Work, print, run_shared};
use rate_net::{Algorithm, Eviction, RateLimiter};
use throttle_net::PerKey;
use underpin_ratelimit::{Limit, Limiter};

const BATCHES: usize = 101;
const BATCH: Duration = Duration::from_millis(4);

/// Never reached.
const MUCH: u32 = 1_000_000_000;

const KEYS: u64 = 10_000;

const SECOND: Duration = Duration::from_secs(1);

/// Prints the tables.
pub fn tables() {
    for (keys, name) in [(1, "one key"), (KEYS, "10,000 keys")] {
        for threads in [1, 2] {
            let title = format!("a rate that grants, {name}, {threads} thread(s)");
            print(&title, &run_shared(rates(keys, MUCH), threads, BATCHES, BATCH));
        }
    }
    print("a rate that denies, one key, 1 thread", &run_shared(rates(1, 1), 1, BATCHES, BATCH));
    for (keys, name) in [(1, "one key"), (KEYS, "10,000 keys")] {
        for threads in [1, 2] {
            let title = format!("an exact window that grants, {name}, {threads} thread(s)");
            print(&title, &run_shared(windows(keys), threads, BATCHES, BATCH));
        }
    }
}

/// GCRA and token buckets, at so many a second.
pub fn rates(keys: u64, rate: u32) -> Vec<Shared> {
    let quota = Quota::per_second(NonZeroU32::new(rate).expect("it is not 0"));
    let governor = Arc::new(DefaultKeyedRateLimiter::<u64>::keyed(quota));
    let rate_net =
        RateLimiter::builder().quota(rate, SECOND).eviction(Eviction::capacity(100_000)).build();
    let rate_net = Arc::new(rate_net);
    let throttle_net = PerKey::<u64>::builder()
        .rate(rate, SECOND)
        .eviction(throttle_net::Eviction::capacity(100_000))
        .build();
    let throttle_net = Arc::new(throttle_net);
    let ours = Arc::new(Limiter::new(Limit::gcra(rate, SECOND)));
    vec![
        keyed("underpin-ratelimit, gcra", keys, ours, |limiter, key| {
            let _ = black_box(limiter.check(&key));
        }),
        keyed("governor", keys, governor, |limiter, key| {
            let _ = black_box(limiter.check_key(&key));
        }),
        keyed("rate-net", keys, rate_net, |limiter, key| {
            let _ = black_box(limiter.check(key));
        }),
        keyed("throttle-net", keys, throttle_net, |limiter, key| {
            let _ = black_box(limiter.try_acquire(&key));
        }),
    ]
}

/// Exact windows of 100 in a microsecond, which are empty again whenever a key comes back.
pub fn windows(keys: u64) -> Vec<Shared> {
    let rate_net = RateLimiter::builder()
        .algorithm(Algorithm::SlidingWindowLog)
        .quota(100, Duration::from_micros(1))
        .eviction(Eviction::capacity(100_000))
        .build();
    let rate_net = Arc::new(rate_net);
    let ours = Arc::new(Limiter::new(Limit::window(100, Duration::from_micros(1))));
    vec![
        keyed("underpin-ratelimit, window", keys, ours, |limiter, key| {
            let _ = black_box(limiter.check(&key));
        }),
        keyed("rate-net", keys, rate_net, |limiter, key| {
            let _ = black_box(limiter.check(key));
        }),
    ]
}

fn keyed<L>(name: &'static str, keys: u64, limiter: Arc<L>, ask: fn(&L, u64)) -> Shared
where
    L: Send + Sync + 'static,
{
    Shared::new(name, move || work(keys, limiter.clone(), ask))
}

fn work<L: Send + Sync + 'static>(keys: u64, limiter: Arc<L>, ask: fn(&L, u64)) -> Work {
    let mut state = 1_u64;
    Box::new(move || {
        // An ordinary congruential generator: its high bits look random.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ask(&limiter, (state >> 33) % keys);
    })
}
