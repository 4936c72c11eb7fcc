//! What a client is told.

use std::time::Duration;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{Entry, RETRY_AFTER},
};

use crate::{
    algorithm::nanos::Nanos,
    limiter::Limiter,
    outcome::{Denied, Granted},
};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

impl Limiter {
    /// Adds `RateLimit-Policy: "name";q=100;w=10` and `RateLimit: "name";r=50;t=7` to the headers of a response.
    ///
    /// They follow `draft-ietf-httpapi-ratelimit-headers`, from its version 8 on: `q` requests in `w` seconds are allowed, `r` are left, and in `t` seconds all are there again.
    /// Of a [`gcra`](crate::Limit::gcra), `q` is the burst, and `w` how long that takes to come back. Seconds are rounded up. Each limiter adds lines of its own.
    pub fn add_headers(&self, granted: &Granted, headers: &mut HeaderMap) {
        let limit = (granted.limit, granted.time);
        add(headers, self.name(), limit, (granted.remaining, granted.reset_after));
    }
}

impl Denied {
    /// Adds `Retry-After`, in whole seconds, rounded up and at least 1, unless there is one or it is of no use; and what [`Limiter::add_headers`] adds.
    pub fn add_headers(&self, headers: &mut HeaderMap) {
        add(headers, &self.name, (self.limit, self.time), (self.remaining, self.reset_after));
        if let (Some(time), Entry::Vacant(entry)) = (self.retry_after, headers.entry(RETRY_AFTER)) {
            entry.insert(seconds(time).max(1).into());
        }
    }
}

fn add(
    headers: &mut HeaderMap,
    name: &str,
    (limit, time): (u32, Nanos),
    (remaining, reset_after): (u32, Duration),
) {
    let policy = format!("\"{name}\";q={limit};w={}", seconds(Duration::from_nanos(time)).max(1));
    let state = format!("\"{name}\";r={remaining};t={}", seconds(reset_after));
    for (header, value) in [(POLICY, policy), (STATE, state)] {
        // It always is one: the builder takes no other names.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.append(header, value);
        }
    }
}

/// Rounded up.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
