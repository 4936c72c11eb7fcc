//! When things have come to rest.

use std::time::{Duration, Instant};

/// Waits until it has been quiet for a while, but not for ever.
#[derive(Debug)]
pub(crate) struct Settle {
    quiet: Duration,
    max_wait: Duration,
    /// The first and the last touch since it was settled.
    touched: Option<(Instant, Instant)>,
}

impl Settle {
    pub(crate) fn new(quiet: Duration, max_wait: Duration) -> Settle {
        Settle { quiet, max_wait, touched: None }
    }

    pub(crate) fn touch(&mut self, now: Instant) {
        let first = self.touched.map_or(now, |(first, _)| first);
        self.touched = Some((first, now));
    }

    /// When it has settled, if nothing else happens. None: it has.
    pub(crate) fn due(&self) -> Option<Instant> {
        let (first, last) = self.touched?;
        // Beyond the end of time there is no need to hurry; a day will do.
        let later = |from: Instant, time| {
            from.checked_add(time).unwrap_or(from + Duration::from_secs(86_400))
        };
        Some(later(last, self.quiet).min(later(first, self.max_wait)))
    }

    /// Whether it has come to rest by now; if so, it begins anew.
    pub(crate) fn is_settled(&mut self, now: Instant) -> bool {
        let is_settled = self.due().is_some_and(|due| due <= now);
        if is_settled {
            self.touched = None;
        }
        is_settled
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Settle;

    #[test]
    fn quiet_is_waited_for_and_constant_noise_is_not() {
        let second = Duration::from_secs(1);
        let begin = Instant::now();
        let mut settle = Settle::new(second, second * 5);
        assert!(settle.due().is_none() && !settle.is_settled(begin));
        settle.touch(begin);
        settle.touch(begin + second / 2);
        assert!(!settle.is_settled(begin + second));
        assert!(settle.is_settled(begin + second * 3 / 2));
        assert!(settle.due().is_none());
        for tenth in 0..=49 {
            settle.touch(begin + second * tenth / 10);
            assert!(!settle.is_settled(begin + second * tenth / 10));
        }
        assert!(settle.is_settled(begin + second * 5));
    }
}
