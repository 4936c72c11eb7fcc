//! The payment provider, as this service sees it.

mod circuit;
pub(crate) mod stub;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use underpin_fault::{Fault, Kind};
use underpin_health::Switch;
use underpin_httpx::{Client, Disposition, Error, Kind as ErrorKind, Retry};
use underpin_shutdown::Shutdown;

pub(crate) use self::circuit::FAILURES;
use crate::{order::NewOrder, random, settings::Settings, store::Sender};

/// How long the provider may take for an answer, and how often it is asked again.
const ATTEMPT: Duration = Duration::from_secs(5);
const RETRIES: u32 = 2;
/// Three attempts and the longest waits between them. A stop gives this much to what was begun before it.
const LONGEST: Duration = Duration::from_secs(18);
/// What a stop keeps for other things, by its plan: 1 s for cancelled work, 5 s for cleanups, 0.25 s for the exit. And a little.
const RESERVED: Duration = Duration::from_millis(6500);

/// The code of an order that nobody was asked to pay.
pub(crate) const CIRCUIT_OPEN: &str = "CIRCUIT_OPEN";

/// What an order costs.
const FEE_CENTS: u32 = 99;

/// The client of the payment provider. Clones are the same.
#[derive(Clone)]
pub(crate) struct Payments {
    http: Client,
    shutdown: Shutdown,
}

/// What the provider is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Charge {
    /// The order's, and no other's: what the provider's books are compared by. It is the idempotency key, too.
    pub(crate) reference: String,
    pub(crate) customer: String,
    pub(crate) cents: u32,
    /// What for, in words for the customer.
    pub(crate) description: String,
}

/// What the provider says it has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) id: String,
    pub(crate) reference: String,
    pub(crate) cents: u32,
}

impl Payments {
    /// A client of the provider at this URL. What becomes of the circuit is told to the operator and to `health`.
    pub(crate) fn new(
        url: &str,
        settings: &Settings,
        health: Switch,
        shutdown: &Shutdown,
    ) -> Result<Payments, Error> {
        let http = Client::builder()
            .base_url(url)
            .deadline(LONGEST)
            .attempt_timeout(ATTEMPT)
            .retry(
                Retry::exponential(Duration::from_secs(1)..=Duration::from_secs(10))
                    .retries(RETRIES),
            )
            .breaker(circuit::new(settings.breaker_open, health))
            .build()?;
        Ok(Payments { http, shutdown: shutdown.clone() })
    }

    /// Charges a customer. However often this is done with the same reference, it is charged once.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves open whether anybody was charged, as a lost connection does.
    pub(crate) async fn charge(&self, charge: &Charge) -> Result<Receipt, Fault> {
        let request = self.http.post("charges").deadline(time_for_it(self.shutdown.remaining()));
        let answer = request.idempotency_key(&charge.reference).body_json(charge).json().await;
        answer.map_err(fault)
    }
}

impl Charge {
    /// The charge for an order: the same one whenever the same request comes.
    pub(crate) fn new(sender: &Sender, order: &NewOrder) -> Charge {
        let Sender { user, idempotency_key } = sender;
        let reference = match idempotency_key {
            // Neither has a space in it, so no other pair is written like this. No random one is either.
            Some(key) => format!("{user} {key}"),
            None => random::name(),
        };
        let NewOrder { symbol, side, quantity, price } = order;
        let side = side.name();
        let description = match *price {
            0.0 => format!("{side} {quantity} {symbol} at any price"),
            price => format!("{side} {quantity} {symbol} at {price}"),
        };
        Charge { reference, customer: user.clone(), cents: FEE_CENTS, description }
    }
}

/// How long a charge may take, if so much is left of a stop.
fn time_for_it(left: Option<Duration>) -> Duration {
    left.map_or(LONGEST, |left| left.saturating_sub(RESERVED).min(LONGEST))
}

/// What a client is told: nothing of what the provider has said, and not that nobody was charged, for who knows.
fn fault(error: Error) -> Fault {
    let is_open = error.kind() == ErrorKind::Rejected;
    let fault = if is_open {
        Fault::new(Kind::Unavailable, CIRCUIT_OPEN)
            .message("no payments can be made now: to try later, use the same idempotency key")
            .expose("breaker", circuit::NAME)
    } else {
        let message = match error.disposition() {
            Disposition::Final => "the payment was refused",
            _ => "the payment has failed: to try again, use the same idempotency key",
        };
        Fault::new(Kind::Unavailable, "PAYMENT_ERROR").status(502).message(message)
    };
    // A circuit that lets one call look does not know how long that will take.
    let unknown = is_open.then_some(circuit::PROBING);
    let fault = match error.retry_after().or(unknown) {
        Some(after) => fault.retry_after(after),
        None => fault,
    };
    fault.caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Side;

    fn charge(user: &str, key: Option<&str>, price: f64) -> Charge {
        let sender = Sender { user: user.to_owned(), idempotency_key: key.map(str::to_owned) };
        let order = NewOrder { symbol: "ACME".to_owned(), side: Side::Buy, quantity: 2.5, price };
        Charge::new(&sender, &order)
    }

    #[test]
    fn a_request_that_comes_again_is_the_same_charge() {
        let first = charge("ann", Some("k"), 0.5);
        assert_eq!(first, charge("ann", Some("k"), 0.5));
        assert_eq!(first.description, "buy 2.5 ACME at 0.5");
        assert_eq!(charge("ann", None, 0.0).description, "buy 2.5 ACME at any price");
        // Another one is another.
        for other in [charge("ann", Some("l"), 0.5), charge("bob", Some("k"), 0.5)] {
            assert_ne!(first.reference, other.reference);
        }
        assert_ne!(charge("ann", None, 0.5).reference, charge("ann", None, 0.5).reference);
    }

    #[test]
    fn a_charge_ends_before_a_stop_cancels_it() {
        let secs = Duration::from_secs;
        assert_eq!(time_for_it(None), LONGEST);
        // The draining ends 6.25 s before the stop does.
        for left in [secs(25), secs(20), secs(10), secs(6), Duration::ZERO] {
            let time = time_for_it(Some(left));
            assert!(time <= LONGEST && time <= left.saturating_sub(secs(6)), "{left:?}: {time:?}");
        }
        assert_eq!(time_for_it(Some(secs(25))), LONGEST, "what began before the signal");
    }
}
