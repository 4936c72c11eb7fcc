//! Counting bugs, and backtraces that cannot become the outage.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// A capture walks the whole stack: a bug on a hot path must not turn into a thousand walks a second.
const MILLIS_BETWEEN_CAPTURES: u64 = 100;

static BUGS: AtomicU64 = AtomicU64::new(0);

/// How many faults of a [bug kind](crate::Kind::is_bug) this process has made, for a metric.
///
/// Faults read from a peer's answer are not counted: they are the peer's bugs.
pub fn bugs() -> u64 {
    BUGS.load(Ordering::Relaxed)
}

pub(crate) fn count() {
    BUGS.fetch_add(1, Ordering::Relaxed);
}

/// A backtrace where the environment asks for one and the last is at least 100 ms old.
pub(crate) fn backtrace() -> Option<Box<Backtrace>> {
    static ENABLED: OnceLock<bool> = OnceLock::new();
    // Std reads RUST_LIB_BACKTRACE and RUST_BACKTRACE once, and only a capture tells what it found.
    let enabled =
        *ENABLED.get_or_init(|| Backtrace::capture().status() == BacktraceStatus::Captured);
    (enabled && is_due()).then(|| Box::new(Backtrace::capture()))
}

fn is_due() -> bool {
    static START: OnceLock<Instant> = OnceLock::new();
    /// Milliseconds since `START` before which nothing is captured.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let elapsed = START.get_or_init(Instant::now).elapsed().as_millis();
    let now = u64::try_from(elapsed).unwrap_or(u64::MAX);
    let next = NEXT.load(Ordering::Relaxed);
    now >= next
        && NEXT
            .compare_exchange(
                next,
                now.saturating_add(MILLIS_BETWEEN_CAPTURES),
                Ordering::Relaxed,
                Ordering::Relaxed,
            )
            .is_ok()
}
