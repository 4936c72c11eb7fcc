//! When ticks are due: arithmetic on instants that are given, no clock.

use std::time::Duration;

use tokio::time::Instant;

#[cfg(feature = "cron")]
use crate::cron::Calendar;
use crate::{periodic::Missed, random::Random};

/// When ticks are due.
#[derive(Debug)]
pub(crate) enum Timetable {
    Every(Grid),
    #[cfg(feature = "cron")]
    Cron(Box<Calendar>),
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
    /// When to look again.
    pub(crate) fn due(&self) -> Instant {
        match self {
            Timetable::Every(grid) => grid.due,
            #[cfg(feature = "cron")]
            Timetable::Cron(calendar) => calendar.look_again(),
        }
    }

    /// The tick that is due at `now`, if one is; the timetable goes on to the next.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Due> {
        match self {
            Timetable::Every(grid) => grid.take(now),
            #[cfg(feature = "cron")]
            Timetable::Cron(calendar) => calendar.take(now),
        }
    }

    /// Counts anew from the end of a run, where the period counts from there.
    pub(crate) fn restart(&mut self, now: Instant) {
        match self {
            Timetable::Every(grid) => grid.put(later(now, grid.period)),
            // A time of day is what it is.
            #[cfg(feature = "cron")]
            Timetable::Cron(_) => {}
        }
    }

    /// Lets no tick come before `wait` has passed.
    pub(crate) fn hold(&mut self, now: Instant, wait: Duration) {
        match self {
            Timetable::Every(grid) if later(now, wait) > grid.due => grid.put(later(now, wait)),
            Timetable::Every(_) => {}
            #[cfg(feature = "cron")]
            Timetable::Cron(calendar) => calendar.hold(now, wait),
        }
    }
}

/// The grid of a period, and what becomes of ticks that nobody was there for.
#[derive(Debug)]
pub(crate) struct Grid {
    period: Duration,
    missed: Missed,
    /// The part of the period by which a tick may come later than the grid says.
    jitter: f64,
    random: Random,
    /// The next tick on the grid.
    next: Instant,
    /// The same with its jitter.
    due: Instant,
}

impl Grid {
    pub(crate) fn new(
        first: Instant,
        period: Duration,
        missed: Missed,
        jitter: f64,
        random: Random,
    ) -> Grid {
        let mut grid = Grid { period, missed, jitter, random, next: first, due: first };
        grid.put(first);
        grid
    }

    fn take(&mut self, now: Instant) -> Option<Due> {
        if now < self.due {
            return None;
        }
        let at = self.due;
        let late = now.saturating_duration_since(at);
        let passed = u64::try_from(late.as_nanos() / self.period.as_nanos()).unwrap_or(u64::MAX);
        let missed = if self.missed == Missed::Burst { 0 } else { passed };
        self.put(match self.missed {
            Missed::Realign if passed > 0 => later(now, self.period),
            Missed::Skip | Missed::Realign | Missed::Burst => {
                later(self.next, times(self.period, missed.saturating_add(1)))
            }
        });
        Some(Due { at, missed })
    }

    fn put(&mut self, next: Instant) {
        self.next = next;
        self.due = next;
        if self.jitter > 0.0 {
            self.due = later(self.due, self.period.mul_f64(self.jitter * self.random.unit()));
        }
    }
}

/// An instant `wait` after `from`; what is longer than thirty years never comes, and does not overflow a clock either.
pub(crate) fn later(from: Instant, wait: Duration) -> Instant {
    const NEVER: Duration = Duration::from_secs(30 * 365 * 86_400);
    from + wait.min(NEVER)
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

    fn grid(missed: Missed) -> (Grid, Instant) {
        let start = Instant::now();
        (Grid::new(start, SECOND, missed, 0.0, Random::new(1)), start)
    }

    /// The offsets in milliseconds at which ticks are taken when the clock is looked at at `times`.
    fn ticks(missed: Missed, times: &[u64]) -> Vec<(u64, u64)> {
        let (mut grid, start) = grid(missed);
        let mut ticks = Vec::new();
        for time in times {
            let now = start + Duration::from_millis(*time);
            while let Some(due) = grid.take(now) {
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
        let mut grid = Grid::new(start, SECOND, Missed::Skip, 0.5, Random::new(7));
        let mut offsets = Vec::new();
        for n in 0..1_000 {
            let due = grid.due;
            let offset = due - (start + SECOND * n);
            assert!(offset <= SECOND / 2, "tick {n} comes {offset:?} late");
            offsets.push(offset);
            assert!(grid.take(due).is_some());
        }
        offsets.sort_unstable();
        offsets.dedup();
        assert!(offsets.len() > 900, "{} different offsets", offsets.len());
    }
}
