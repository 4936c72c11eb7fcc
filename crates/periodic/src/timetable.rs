//! When ticks are due: arithmetic on instants that are given, no clock.

use std::time::Duration;

use tokio::time::Instant;

use crate::{periodic::Missed, random::Random};

/// The grid of a period, and what becomes of ticks that nobody was there for.
#[derive(Debug)]
pub(crate) struct Timetable {
    period: Duration,
    missed: Missed,
    /// The part of the period by which a tick may come later than the grid says.
    jitter: f64,
    random: Random,
    /// The next tick on the grid.
    grid: Instant,
    /// The same with its jitter.
    due: Instant,
}

/// A tick that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    /// When it was due.
    pub(crate) at: Instant,
    /// How many ticks before it were given up.
    pub(crate) missed: u64,
}

impl Timetable {
    pub(crate) fn new(
        first: Instant,
        period: Duration,
        missed: Missed,
        jitter: f64,
        random: Random,
    ) -> Timetable {
        let mut timetable = Timetable { period, missed, jitter, random, grid: first, due: first };
        timetable.due = timetable.with_jitter(first);
        timetable
    }

    /// When to look again.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// The tick that is due at `now`, if one is; the timetable goes on to the next.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Due> {
        if now < self.due {
            return None;
        }
        let at = self.due;
        let late = now.saturating_duration_since(at);
        let passed = u64::try_from(late.as_nanos() / self.period.as_nanos()).unwrap_or(u64::MAX);
        let missed = if self.missed == Missed::Burst { 0 } else { passed };
        self.grid = match self.missed {
            Missed::Realign if passed > 0 => now + self.period,
            Missed::Skip | Missed::Realign | Missed::Burst => {
                self.grid + times(self.period, missed.saturating_add(1))
            }
        };
        self.due = self.with_jitter(self.grid);
        Some(Due { at, missed })
    }

    /// Puts the next tick `delay` after `now`, whatever the grid said.
    pub(crate) fn restart(&mut self, now: Instant, delay: Duration) {
        self.grid = now + delay;
        self.due = self.with_jitter(self.grid);
    }

    fn with_jitter(&mut self, grid: Instant) -> Instant {
        if self.jitter == 0.0 {
            return grid;
        }
        grid + self.period.mul_f64(self.jitter * self.random.unit())
    }
}

/// At most the 584 years that 64 bits of nanoseconds have.
fn times(period: Duration, count: u64) -> Duration {
    let nanos = period.as_nanos().saturating_mul(u128::from(count));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn timetable(missed: Missed) -> (Timetable, Instant) {
        let start = Instant::now();
        (Timetable::new(start, SECOND, missed, 0.0, Random::new(1)), start)
    }

    /// The offsets in milliseconds at which ticks are taken when the clock is looked at at `times`.
    fn ticks(missed: Missed, times: &[u64]) -> Vec<(u64, u64)> {
        let (mut timetable, start) = timetable(missed);
        let mut ticks = Vec::new();
        for time in times {
            let now = start + Duration::from_millis(*time);
            while let Some(due) = timetable.take(now) {
                let at = (due.at - start).as_millis();
                ticks.push((u64::try_from(at).unwrap(), due.missed));
            }
        }
        ticks
    }

    #[test]
    fn a_late_look_does_not_move_the_grid() {
        for missed in [Missed::Skip, Missed::Burst, Missed::Realign] {
            assert_eq!(
                ticks(missed, &[0, 1_200, 2_000, 3_999]),
                [(0, 0), (1_000, 0), (2_000, 0), (3_000, 0)]
            );
        }
    }

    #[test]
    fn ticks_that_were_missed_are_skipped_made_up_for_or_counted_anew() {
        let times = [0, 4_500, 5_000, 5_500, 6_000];
        assert_eq!(ticks(Missed::Skip, &times), [(0, 0), (1_000, 3), (5_000, 0), (6_000, 0)]);
        assert_eq!(ticks(Missed::Realign, &times), [(0, 0), (1_000, 3), (5_500, 0)]);
        assert_eq!(
            ticks(Missed::Burst, &times),
            [(0, 0), (1_000, 0), (2_000, 0), (3_000, 0), (4_000, 0), (5_000, 0), (6_000, 0)]
        );
    }

    #[test]
    fn jitter_delays_each_tick_within_its_part_of_the_period_and_does_not_add_up() {
        let start = Instant::now();
        let mut timetable = Timetable::new(start, SECOND, Missed::Skip, 0.5, Random::new(7));
        let mut offsets = Vec::new();
        for n in 0..1_000 {
            let due = timetable.due();
            let offset = due - (start + SECOND * n);
            assert!(offset <= SECOND / 2, "tick {n} comes {offset:?} late");
            offsets.push(offset);
            assert!(timetable.take(due).is_some());
        }
        offsets.sort_unstable();
        offsets.dedup();
        assert!(offsets.len() > 900, "{} different offsets", offsets.len());
    }
}
