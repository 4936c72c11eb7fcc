//! An event for what is denied.

#[cfg(feature = "tracing")]
pub(crate) use self::sampled::Log;
#[cfg(not(feature = "tracing"))]
pub(crate) use self::silent::Log;

#[cfg(not(feature = "tracing"))]
mod silent {
    use crate::{algorithm::nanos::Nanos, outcome::Denied};

    #[derive(Default)]
    pub(crate) struct Log(());

    impl Log {
        #[expect(clippy::unused_self, reason = "as the one that logs")]
        pub(crate) fn denied(&self, _: &Denied, _: Nanos) {}
    }
}

#[cfg(feature = "tracing")]
mod sampled {
    use std::sync::atomic::{AtomicU64, Ordering};

    use crate::{
        algorithm::nanos::Nanos,
        outcome::{Denied, Why},
    };

    const INTERVAL: Nanos = 1_000_000_000;

    /// At most one event a second: whoever is denied tends to come back at once.
    #[derive(Default)]
    pub(crate) struct Log {
        /// When the next event may be.
        next: AtomicU64,
        left_out: AtomicU64,
    }

    impl Log {
        pub(crate) fn denied(&self, denied: &Denied, now: Nanos) {
            if !tracing::enabled!(target: "ratelimit", tracing::Level::DEBUG) {
                return;
            }
            if !self.is_due(now) {
                self.left_out.fetch_add(1, Ordering::Relaxed);
                return;
            }
            let retry_after_ms = denied.retry_after.map(|time| time.as_millis());
            tracing::debug!(
                target: "ratelimit",
                name = &*denied.name,
                why = why(denied.why),
                retry_after_ms = retry_after_ms.map(|millis| u64::try_from(millis).unwrap_or(u64::MAX)),
                left_out = self.left_out.swap(0, Ordering::Relaxed),
                "rate limit denied"
            );
        }

        /// For one of those that ask at once.
        fn is_due(&self, now: Nanos) -> bool {
            let next = self.next.load(Ordering::Relaxed);
            let (order, then) = (Ordering::Relaxed, now.saturating_add(INTERVAL));
            now >= next && self.next.compare_exchange(next, then, order, order).is_ok()
        }
    }

    fn why(why: Why) -> &'static str {
        match why {
            Why::Limit => "limit",
            Why::TooMany => "too many",
            Why::Full => "full",
            Why::TooLate => "too late",
        }
    }
}
