//! Three services in a row, each with retries, in front of one that is dead.

use std::{cell::Cell, time::Duration};

use tokio::time::sleep;
use underpin_retry::{Budget, GaveUp, Retry};

use crate::{millis, secs};

/// What a service hears from the one behind it.
#[derive(Debug)]
enum Failed {
    Down,
    /// Somebody behind it has retried already.
    GaveUp,
}

impl From<GaveUp<Failed>> for Failed {
    fn from(_: GaveUp<Failed>) -> Failed {
        Failed::GaveUp
    }
}

/// Whether a service tries again what the next one has given up.
#[derive(Clone, Copy, PartialEq)]
enum Nested {
    TriedAgain,
    Final,
}

/// A client, service A, service B, each of three attempts. Behind them is C, which answers nobody.
struct Chain {
    tiers: [Retry; 3],
    nested: Nested,
    requests: Cell<u32>,
}

impl Chain {
    fn new(budget: Option<fn() -> Budget>, nested: Nested) -> Chain {
        let tier = || {
            let retry = Retry::exponential(millis(1)..=millis(10)).retries(2);
            // Each service has a budget of its own.
            budget.map_or(retry.clone(), |budget| retry.budget(&budget()))
        };
        Chain { tiers: [tier(), tier(), tier()], nested, requests: Cell::new(0) }
    }

    /// Asks the service behind the first of these tiers.
    async fn ask(&self, tiers: &[Retry]) -> Result<(), Failed> {
        let Some((tier, behind)) = tiers.split_first() else {
            self.requests.set(self.requests.get() + 1);
            return Err(Failed::Down);
        };
        let call = tier.run(|_| Box::pin(self.ask(behind)));
        let call = call.when(|error| match error {
            Failed::Down => true,
            Failed::GaveUp => self.nested == Nested::TriedAgain,
        });
        Ok(call.await?)
    }

    /// How many requests reach C for each one that a user makes, once the outage is no news.
    async fn amplification(&self, pause: Duration) -> f64 {
        let offer = async |calls: u32| {
            let before = self.requests.get();
            for _ in 0..calls {
                assert!(self.ask(&self.tiers).await.is_err());
                sleep(pause).await; // sleep-ok: virtual time
            }
            f64::from(self.requests.get() - before) / f64::from(calls)
        };
        // What was saved in better times is spent on the first few hundred.
        offer(1000).await;
        offer(5000).await
    }
}

fn assert_about(expected: f64, amplification: f64) {
    assert!((amplification - expected).abs() < 0.01, "{amplification}, not {expected}");
}

fn fifth() -> Budget {
    Budget::ratio(0.2)
}

#[tokio::test(start_paused = true)]
async fn three_tiers_of_retries_add_a_fifth_where_what_was_given_up_is_final() {
    for pause in [secs(10), secs(1), millis(100), millis(1), Duration::ZERO] {
        assert_about(1.2, Chain::new(Some(fifth), Nested::Final).amplification(pause).await);
    }
}

#[tokio::test(start_paused = true)]
async fn three_tiers_that_try_again_what_was_given_up_multiply() {
    // Without either, three times three times three.
    assert_about(27.0, Chain::new(None, Nested::TriedAgain).amplification(secs(1)).await);
    // The rule alone leaves the retries of the last tier.
    assert_about(3.0, Chain::new(None, Nested::Final).amplification(secs(1)).await);
    // The budgets alone multiply: 1.2 * 1.2 * 1.2.
    assert_about(1.728, Chain::new(Some(fifth), Nested::TriedAgain).amplification(secs(1)).await);
}
