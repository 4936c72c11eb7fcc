//! How an order comes to be: it is paid for, once, and then stored.

use underpin_fault::{Fault, Kind};
use underpin_shutdown::{Shutdown, Tracker};

use crate::{
    order::{NewOrder, Order},
    payment::{Charge, Payments},
    store::{Placed, Sender, Store},
};

/// Where orders are taken. Clones are the same.
#[derive(Clone)]
pub(crate) struct Desk {
    store: Store,
    payments: Payments,
    in_flight: Tracker,
}

impl Desk {
    pub(crate) fn new(store: &Store, payments: Payments, shutdown: &Shutdown) -> Desk {
        Desk { store: store.clone(), payments, in_flight: shutdown.tracker("orders") }
    }

    /// Charges for an order and stores it. A request that comes again with its key finds what has come of the first, and nobody pays twice.
    ///
    /// # Cancel safety
    ///
    /// What was begun is done, whether or not anybody waits for it: who has paid gets the order. A stop waits for it, too.
    pub(crate) async fn place(&self, sender: Sender, order: NewOrder) -> Result<Order, Fault> {
        let placing = self.in_flight.spawn("place", self.clone().charge_and_store(sender, order));
        match placing.await {
            Ok(Some(result)) => result,
            Ok(None) => {
                Err(Fault::new(Kind::Unavailable, "STOPPING").message("the service is stopping"))
            }
            Err(panic) => Err(Fault::bug("ORDER_PANICKED").caused_by(panic)),
        }
    }

    async fn charge_and_store(self, sender: Sender, order: NewOrder) -> Result<Order, Fault> {
        if let Some(placed) = self.store.placed(&sender, &order).await? {
            return placed.order();
        }
        match self.payments.charge(&Charge::new(&sender, &order)).await {
            Ok(receipt) => self.store.place(sender, order, receipt.id).await?.order(),
            // The same key may have come twice at once, and the other one was first.
            Err(fault) => match self.store.placed(&sender, &order).await? {
                Some(placed) => placed.order(),
                None => Err(fault),
            },
        }
    }
}

impl Placed {
    fn order(self) -> Result<Order, Fault> {
        match self {
            Placed::Order(order) => Ok(order),
            Placed::KeyIsTaken => Err(Fault::new(Kind::AlreadyExists, "IDEMPOTENCY_KEY_REUSED")
                .status(422)
                .message("the key was used for another order: make a new one for each order")),
        }
    }
}
