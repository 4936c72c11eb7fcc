//! Several limits, all or nothing.

use std::{cmp::Ordering, time::Instant};

use crate::{
    limiter::{Limiter, now},
    outcome::{Denied, Granted},
};

/// A request of one key to one limiter: [`Limiter::of`].
#[derive(Debug, Clone, Copy)]
#[must_use = "nothing is asked before `check_all`"]
pub struct Charge<'a> {
    limiter: &'a Limiter,
    hash: u64,
    n: u32,
}

impl<'a> Charge<'a> {
    pub(crate) fn new(limiter: &'a Limiter, hash: u64) -> Charge<'a> {
        Charge { limiter, hash, n: 1 }
    }

    /// As many at once: 1 unless set.
    pub fn units(self, n: u32) -> Charge<'a> {
        Charge { n, ..self }
    }

    fn look(self, now: Instant) -> Option<Denied> {
        self.limiter.look(self.hash, self.n, self.limiter.nanos(now)).err()
    }

    fn take(self, now: Instant) -> Result<Granted, Denied> {
        let now = self.limiter.nanos(now);
        self.limiter.ask(self.hash, self.n, now, 0)
    }
}

/// Asks several limits, and counts for all of them or for none.
///
/// ```
/// use std::{net::Ipv4Addr, time::Duration};
/// use underpin_ratelimit::{Limit, Limiter, check_all};
///
/// let per_address = Limiter::builder(Limit::gcra(100, Duration::from_secs(1))).name("per-address").build();
/// let per_user = Limiter::builder(Limit::window(3, Duration::from_secs(10))).name("per-user").build();
///
/// let address = Ipv4Addr::LOCALHOST;
/// let [_, user] = check_all([per_address.of(&address), per_user.of("ada")])?;
/// assert_eq!(user.remaining, 2);
/// # Ok::<(), underpin_ratelimit::Denied>(())
/// ```
///
/// All are looked at first, and only if all would grant are they counted. If another thread comes between the two, what was counted is given back, as by
/// [`Limiter::refund`]: a [`gcra`](crate::Limit::gcra) that yet another thread has taken from by then stays charged.
///
/// # Errors
///
/// When one denies. The error is that of the limiter that has to be waited for longest, whose name it has.
pub fn check_all<const N: usize>(charges: [Charge<'_>; N]) -> Result<[Granted; N], Denied> {
    check_all_at(charges, now())
}

/// The same, at a time of the caller's: for tests.
///
/// # Errors
///
/// When one denies.
#[expect(clippy::missing_panics_doc, reason = "it cannot: a denial would have been returned")]
pub fn check_all_at<const N: usize>(
    charges: [Charge<'_>; N],
    now: Instant,
) -> Result<[Granted; N], Denied> {
    let looked = charges.iter().map(|charge| charge.look(now));
    longest(charges.iter().zip(looked), now)?;

    let taken = charges.map(|charge| charge.take(now));
    let denied = taken.iter().map(|taken| taken.as_ref().err().cloned());
    if let Err(denied) = longest(charges.iter().zip(denied), now) {
        // The latest first, so that of two grants of one key both are given back.
        for (charge, granted) in charges.iter().zip(&taken).rev() {
            if let Ok(granted) = granted {
                charge.limiter.give_back(granted.receipt);
            }
        }
        return Err(denied);
    }
    Ok(taken.map(|taken| taken.expect("no denial was found")))
}

/// The denial that has to be waited for longest, if there is any.
fn longest<'a>(
    charges: impl Iterator<Item = (&'a Charge<'a>, Option<Denied>)>,
    now: Instant,
) -> Result<(), Denied> {
    let denied = charges.filter_map(|(charge, denied)| Some((charge.limiter, denied?)));
    match denied.max_by(|(_, a), (_, b)| by_wait(a, b)) {
        None => Ok(()),
        Some((limiter, denied)) => {
            limiter.log(&denied, limiter.nanos(now));
            Err(denied)
        }
    }
}

/// Never is longer than any time.
fn by_wait(a: &Denied, b: &Denied) -> Ordering {
    let never = |denied: &Denied| denied.retry_after.is_none();
    never(a).cmp(&never(b)).then(a.retry_after.cmp(&b.retry_after))
}
