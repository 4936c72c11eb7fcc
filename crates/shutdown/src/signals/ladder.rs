//! What a signal means, after those before it.

use std::time::{Duration, Instant};

/// Wrappers such as `npm`, `tini -g` and terminals deliver one intention several times.
const DEBOUNCE: Duration = Duration::from_millis(300);

/// The first signal asks, one at least 300 ms later insists.
#[derive(Debug, Default)]
pub(super) struct Ladder {
    first: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Begin to stop.
    Stop,
    /// The first one once more.
    Ignore,
    /// Exit now.
    Force,
}

impl Ladder {
    pub(super) fn signal(&mut self, now: Instant) -> Step {
        let first = *self.first.get_or_insert(now);
        match now.saturating_duration_since(first) {
            Duration::ZERO => Step::Stop,
            since if since < DEBOUNCE => Step::Ignore,
            _ => Step::Force,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Ladder, Step};

    #[test]
    fn second_signal_forces_after_300_ms_and_not_before() {
        let (mut ladder, begin) = (Ladder::default(), Instant::now());
        let steps = [0, 1, 299, 300, 5_000]
            .map(|millis| ladder.signal(begin + Duration::from_millis(millis)));
        assert_eq!(steps, [Step::Stop, Step::Ignore, Step::Ignore, Step::Force, Step::Force]);
    }
}
