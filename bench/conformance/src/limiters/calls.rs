//! Requests to a limiter, as the cases make them.

use std::time::Duration;

use tokio::time::{Instant, advance};

use crate::{
    limiters::{Answer, Limiter},
    verdict::Stop,
};

/// The key of cases that need but one.
pub const KEY: u64 = 7;

/// Asks so often; how many were granted.
pub fn granted(limiter: &dyn Limiter, key: u64, requests: u32) -> Result<u32, Stop> {
    let mut granted = 0;
    for _ in 0..requests {
        granted += u32::from(limiter.check(key, 1)? == Answer::Granted);
    }
    Ok(granted)
}

/// Lets so many milliseconds of paused time pass.
pub async fn after_ms(time: u64) {
    advance(Duration::from_millis(time)).await;
}

/// Notes when a wait has ended, in milliseconds since `began`, if it was granted.
pub async fn granted_at(wait: crate::limiters::Wait, began: Instant) -> Option<u64> {
    let granted = wait.await;
    granted.then(|| u64::try_from(began.elapsed().as_millis()).expect("it is a short time"))
}
