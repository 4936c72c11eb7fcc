//! Time, as the algorithms count it.

use std::time::Duration;

/// Nanoseconds since the limiter was made. 64 bits are 584 years.
pub(crate) type Nanos = u64;

const DAY: Nanos = 24 * 60 * 60 * 1_000_000_000;

/// The longest time of a limit.
pub(crate) const LONGEST: Nanos = 366 * DAY;

/// How long counters have to last.
pub(crate) const LIFE: Nanos = 3653 * DAY;

/// Saturating.
#[inline]
pub(crate) fn nanos(time: Duration) -> Nanos {
    time.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(time.subsec_nanos()))
}
