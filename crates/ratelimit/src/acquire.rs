//! Waiting for one's turn.

use std::{future::Future, hash::Hash, time::Duration};

use tokio::time::{Instant, sleep_until};

use crate::{
    algorithm::nanos::nanos,
    limiter::Limiter,
    outcome::{Denied, Granted, Receipt},
};

impl Limiter {
    /// Waits for one request's turn, if that comes within this time.
    ///
    /// Its place is taken at the first poll. Places are in the order in which they are taken, and [`check`](Limiter::check) overtakes nobody who waits. If the place
    /// comes later than `within`, this fails at once: nothing is waited for in vain, and no more wait than the limit allows in that time.
    ///
    /// It is counted at the time of its place. tokio's timer is up to a millisecond late, and a busy runtime later.
    ///
    /// # Errors
    ///
    /// When its turn comes later than that ([`Why::TooLate`](crate::Why::TooLate)), or it is denied for another reason. Then nothing is counted.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it gives its place back, as by [`refund`](Limiter::refund). Those behind it keep their places.
    pub fn acquire<K: Hash + ?Sized>(
        &self,
        key: &K,
        within: Duration,
    ) -> impl Future<Output = Result<Granted, Denied>> + Send + use<'_, K> {
        self.acquire_n(key, 1, within)
    }

    /// The same for `n` at once. Those that ask for fewer do not overtake it.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Limiter::acquire).
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Limiter::acquire).
    pub fn acquire_n<K: Hash + ?Sized>(
        &self,
        key: &K,
        n: u32,
        within: Duration,
    ) -> impl Future<Output = Result<Granted, Denied>> + Send + use<'_, K> {
        self.turn(self.hash(key), n, within)
    }

    async fn turn(&self, hash: u64, n: u32, within: Duration) -> Result<Granted, Denied> {
        let instant = Instant::now();
        let now = self.nanos(instant.into_std());
        let asked = self.ask(hash, n, now, nanos(within));
        let granted = asked.inspect_err(|denied| self.log(denied, now))?;
        let receipt = granted.receipt;
        if receipt.wait > 0 {
            let mut place = Place { limiter: self, receipt: Some(receipt) };
            sleep_until(instant + Duration::from_nanos(receipt.wait)).await;
            place.receipt = None;
        }
        Ok(granted)
    }
}

/// Gives it back if nobody waits for it any more.
struct Place<'a> {
    limiter: &'a Limiter,
    receipt: Option<Receipt>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(receipt) = self.receipt {
            self.limiter.give_back(receipt);
        }
    }
}
