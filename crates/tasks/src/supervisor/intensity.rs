//! How often is too often.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// A sliding window over the times of the last restarts, of which it keeps as many as are allowed.
#[derive(Debug)]
pub(super) struct Intensity {
    restarts: usize,
    within: Duration,
    recent: VecDeque<Instant>,
}

impl Intensity {
    pub(super) fn new(restarts: u32, within: Duration) -> Intensity {
        Intensity { restarts: restarts as usize, within, recent: VecDeque::new() }
    }

    /// Whether there may be a restart at `now`, which is counted if so.
    pub(super) fn admit(&mut self, now: Instant) -> bool {
        while self.recent.front().is_some_and(|&first| now.duration_since(first) >= self.within) {
            self.recent.pop_front();
        }
        let admitted = self.recent.len() < self.restarts;
        if admitted {
            self.recent.push_back(now);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Intensity;

    #[test]
    fn the_window_slides() {
        let start = Instant::now();
        let mut intensity = Intensity::new(2, Duration::from_secs(10));
        let mut at = |seconds| intensity.admit(start + Duration::from_secs(seconds));
        // A window that starts anew every ten seconds would admit the one at 11.
        assert_eq!(
            [0, 6, 9, 10, 11, 15, 16].map(&mut at),
            [true, true, false, true, false, false, true]
        );
    }

    #[test]
    fn none_allowed_means_none() {
        assert!(!Intensity::new(0, Duration::from_secs(1)).admit(Instant::now()));
    }
}
