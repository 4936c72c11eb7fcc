//! What keys take in memory: resident bytes with 1,000,000 keys, and with 5,000,000, in a process for each limiter.
//!
//! All are told to keep 1,000,000 keys, except governor, which has no bound: its documentation says to throw idle keys out now and then.

use std::{
    env, fs,
    num::NonZeroU32,
    process::Command,
    time::{Duration, Instant},
};

use governor::{DefaultKeyedRateLimiter, Quota};
use rate_net::{Algorithm, Eviction, RateLimiter};
use throttle_net::PerKey;
use underpin_ratelimit::{Limit, Limiter};

const KEYS: u64 = 1_000_000;
const MANY_KEYS: u64 = 5_000_000;

/// Who is asked. A limit of one a second, or of ten.
const LIMITERS: [&str; 6] = [
    "underpin-ratelimit, gcra",
    "underpin-ratelimit, window",
    "governor",
    "rate-net",
    "rate-net, exact window",
    "throttle-net",
];

/// Prints the table.
pub fn table() {
    println!("\nmemory of a limiter for 1,000,000 keys\n");
    println!(
        "{:<34} {:>14} {:>14} {:>14} {:>12}",
        "", "bytes a key", "MiB, 1 M keys", "MiB, 5 M keys", "ns a new key"
    );
    for limiter in LIMITERS {
        let program = env::current_exe().expect("a program knows where it is");
        let output = Command::new(program).args(["remember", limiter]).output();
        let output = output.expect("the program can be run again");
        print!("{}", String::from_utf8_lossy(&output.stdout));
        if !output.status.success() {
            println!("{limiter:<34} {}", String::from_utf8_lossy(&output.stderr).trim());
        }
    }
}

/// Asks for 1,000,000 and for 5,000,000 keys, and prints a row.
pub fn remember(limiter: &str) {
    let before = resident();
    let ask = asked(limiter);
    let started = Instant::now();
    (0..KEYS).for_each(&ask);
    let few = resident() - before;
    (KEYS..MANY_KEYS).for_each(&ask);
    let took = started.elapsed() / u32::try_from(MANY_KEYS).expect("it is small");
    let many = resident() - before;
    let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
    println!(
        "{limiter:<34} {:>14} {:>14.1} {:>14.1} {:>12}",
        few / KEYS,
        mib(few),
        mib(many),
        took.as_nanos()
    );
}

fn asked(limiter: &str) -> Box<dyn Fn(u64)> {
    let keys = usize::try_from(KEYS).expect("it is small");
    let second = Duration::from_secs(1);
    match limiter {
        "underpin-ratelimit, gcra" | "underpin-ratelimit, window" => {
            let limit = match limiter {
                "underpin-ratelimit, gcra" => Limit::gcra(10, second),
                _ => Limit::window(10, second),
            };
            let limiter = Limiter::builder(limit).keys(keys).build();
            Box::new(move |key| drop(limiter.check(&key)))
        }
        "governor" => {
            let quota = Quota::per_second(NonZeroU32::MIN);
            let limiter = DefaultKeyedRateLimiter::<u64>::keyed(quota);
            Box::new(move |key| drop(limiter.check_key(&key)))
        }
        "rate-net" | "rate-net, exact window" => {
            let algorithm = match limiter {
                "rate-net" => Algorithm::TokenBucket,
                _ => Algorithm::SlidingWindowLog,
            };
            let builder = RateLimiter::builder().algorithm(algorithm).quota(10, second);
            let limiter = builder.eviction(Eviction::capacity(keys)).build();
            Box::new(move |key| {
                let _ = limiter.check(key);
            })
        }
        "throttle-net" => {
            let builder = PerKey::<u64>::builder().rate(10, second);
            let limiter = builder.eviction(throttle_net::Eviction::capacity(keys)).build();
            Box::new(move |key| {
                let _ = limiter.try_acquire(&key);
            })
        }
        _ => panic!("no limiter {limiter}"),
    }
}

/// The bytes of this process that are in memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("it runs on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    1024 * kilobytes.and_then(|number| number.parse::<u64>().ok()).expect("it is a number of kB")
}
