//! How an order comes to be: it is paid for, once, and then stored.

use underpin_fault::{Fault, Kind};
use underpin_shutdown::{Shutdown, Tracker};

use crate::{
    activity::Activity,
    order::{NewOrder, Order},
    payment::{self, Charge, Payments},
    store::{Placed, Sender, Store},
};

/// Where orders are taken. Clones are the same.
#[derive(Clone)]
pub(crate) struct Desk {
    store: Store,
    payments: Payments,
    activity: Activity,
    in_flight: Tracker,
}

impl Desk {
    pub(crate) fn new(
        store: &Store,
        payments: Payments,
        activity: &Activity,
        shutdown: &Shutdown,
    ) -> Desk {
        let in_flight = shutdown.tracker("orders");
        Desk { store: store.clone(), payments, activity: activity.clone(), in_flight }
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
        let placed = self.charge_and_store_once(&sender, order).await;
        // While the circuit is open nothing happens, and that as often as anybody likes.
        if let Err(fault) = &placed
            && fault.code() != payment::CIRCUIT_OPEN
        {
            self.activity.failed(&sender, fault);
        }
        placed?.order()
    }

    async fn charge_and_store_once(
        &self,
        sender: &Sender,
        order: NewOrder,
    ) -> Result<Placed, Fault> {
        let receipt = match self.payments.charge(&Charge::new(sender, &order)).await {
            Ok(receipt) => receipt,
            // The same key may have come twice at once, and the other one was first.
            Err(fault) => return self.store.placed(sender, &order).await?.ok_or(fault),
        };
        self.activity.paid(sender, &receipt.id);
        let placed = self.store.place(sender.clone(), order, receipt.id.clone()).await?;
        if let Placed::Now(order) = &placed {
            self.activity.placed(order, sender, &receipt.id);
        }
        Ok(placed)
    }
}

impl Placed {
    fn order(self) -> Result<Order, Fault> {
        match self {
            Placed::Now(order) | Placed::Before(order) => Ok(order),
            Placed::KeyIsTaken => Err(Fault::new(Kind::AlreadyExists, "IDEMPOTENCY_KEY_REUSED")
                .status(422)
                .message("the key was used for another order: make a new one for each order")),
        }
    }
}
