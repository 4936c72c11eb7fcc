//! The generic cell rate algorithm.

use crate::algorithm::{Algorithm, Place, nanos::Nanos};

/// So many per time, evenly spread.
///
/// A key's state is the theoretical arrival time: when everything that was admitted would have arrived, had it come at the rate. A request moves it on by its cost, and is
/// admitted if that is no further ahead of now than a burst. A time that is past is as good as none.
///
/// All of this is in grains, fractions of a nanosecond, so that the cost of one request is a whole number of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gcra {
    /// Grains that a request costs.
    cost: u64,
    /// Grains in a nanosecond: 1 to 32. With 32, the state lasts for 18 years.
    grains: u64,
    pub(crate) burst: u32,
    /// Grains that a burst costs.
    tolerance: u64,
    /// How long a burst takes to come back.
    pub(crate) time: Nanos,
}

const MOST_GRAINS: u64 = 32;

impl Gcra {
    /// With a burst of as many.
    pub(crate) fn new(requests: u32, time: Nanos) -> Gcra {
        let requests = u64::from(requests);
        let exact = requests / gcd(requests, time);
        let grains = exact.min(MOST_GRAINS);
        // At most 366 days in at most 32 grains: it fits. Rounded up, it never admits too much.
        let cost = (time * grains).div_ceil(requests);
        let burst = u32::try_from(requests).unwrap_or(u32::MAX);
        Gcra { cost, grains, burst, tolerance: 0, time: 0 }.allowing(cost.saturating_mul(requests))
    }

    pub(crate) fn with_burst(self, burst: u32) -> Option<Gcra> {
        Some(Gcra { burst, ..self }.allowing(self.cost.checked_mul(burst.into())?))
    }

    fn allowing(self, tolerance: u64) -> Gcra {
        Gcra { tolerance, time: self.nanos(tolerance), ..self }
    }

    /// Rounded up. With most limits, a grain is a nanosecond, and nothing has to be divided.
    #[inline]
    fn nanos(self, grains: u64) -> Nanos {
        if self.grains == 1 { grains } else { grains.div_ceil(self.grains) }
    }

    fn grain(&self, now: Nanos) -> u64 {
        now.saturating_mul(self.grains)
    }
}

impl Algorithm for Gcra {
    type State = u64;

    #[inline]
    fn most(&self) -> u32 {
        self.burst
    }

    #[inline]
    fn time(&self) -> Nanos {
        self.time
    }

    #[inline]
    fn place(&self, arrival: &u64, now: Nanos, n: u32) -> Place {
        let now_grain = self.grain(now);
        let mark = now_grain.max(*arrival).saturating_add(self.cost.saturating_mul(n.into()));
        let at = mark.saturating_sub(self.tolerance);
        let at = if at <= now_grain { now } else { self.nanos(at) };
        Place { at, mark }
    }

    #[inline]
    fn take(&self, arrival: &mut u64, _: Nanos, _: u32, place: Place) {
        *arrival = place.mark;
    }

    /// The time of arrival is kept, but it is no further ahead than a burst of this limit. If the last place is one of the future, the burst is used up until then.
    fn adopt(&self, arrival: &mut u64, from: &Gcra, now: Nanos) {
        let last = from.nanos(arrival.saturating_sub(from.tolerance));
        let used_up = self.grain(now.max(last)).saturating_add(self.tolerance);
        let kept = self.grain(from.nanos(*arrival));
        *arrival = if last > now { used_up } else { kept.min(used_up) };
    }

    /// Exactly, if nothing came later; otherwise not at all. Whoever came later was told a time that counts on this one: with the cost gone, the next would be told the same
    /// time. If the arrival time was past before, the one that is put back is the time of the request, which is as good.
    fn give_back(&self, arrival: &mut u64, mark: u64, n: u32) {
        if *arrival == mark {
            *arrival = mark.saturating_sub(self.cost.saturating_mul(n.into()));
        }
    }

    #[inline]
    fn remaining(&self, arrival: &u64, now: Nanos) -> u32 {
        let now = self.grain(now);
        let free = now.saturating_add(self.tolerance).saturating_sub(now.max(*arrival));
        u32::try_from(free / self.cost).unwrap_or(u32::MAX).min(self.burst)
    }

    #[inline]
    fn reset_at(&self, arrival: &u64) -> Nanos {
        self.nanos(*arrival)
    }

    #[inline]
    fn is_idle(&self, arrival: &u64, now: Nanos) -> bool {
        *arrival <= self.grain(now)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(all(test, not(underpin_loom)))]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    #[test]
    fn usual_rates_are_exact_and_others_within_a_grain() {
        for requests in [1, 2, 3, 7, 10, 30, 100, 300, 999, 1000, 10_000, 7_000_000] {
            for time in [SECOND, 60 * SECOND, 3600 * SECOND] {
                let gcra = Gcra::new(requests, time);
                let exact = u128::from(time) * u128::from(gcra.grains);
                let counted = u128::from(gcra.cost) * u128::from(requests);
                assert!(counted >= exact && counted - exact < u128::from(requests), "{gcra:?}");
                assert!(requests == 999 || counted == exact, "{requests} in {time}: {gcra:?}");
            }
        }
    }
}
