//! What has happened, as JSON Lines that several processes may append to.
//!
//! An order is what the database says; the log tells how it came to be. So nobody waits for the log, and whatever is wrong with it
//! degrades the service and does not stop it: what does not get into the file is counted, and told.

mod losses;
mod reading;
mod recorder;

use std::{path::Path, sync::Arc};

use serde::Serialize;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};
use underpin_fault::Fault;
use underpin_health::{Health, Weight};
use underpin_shutdown::Shutdown;
use underpin_tasks::{Failure, Nursery, Outcome};

use self::{losses::Losses, reading::Readers, recorder::Recorder};
pub(crate) use self::{reading::Records, recorder::FILE};
use crate::{
    order::{Order, OrderId},
    settings::Settings,
    store::Sender,
    tell,
};

/// Events that wait to be written, of some hundred bytes each. More are lost, so that a disk that hangs holds up nobody.
const QUEUE: usize = 1024;

/// The log. Clones are the same.
#[derive(Clone)]
pub(crate) struct Activity {
    inbox: mpsc::Sender<Event>,
    losses: Arc<Losses>,
    readers: Arc<Readers>,
}

/// One line of the log, which puts an `id` and a `timestamp` in front of it.
#[derive(Debug, Serialize)]
#[serde(tag = "event")]
pub(crate) enum Event {
    /// The provider has the money. It is told of again when a client asks again.
    #[serde(rename = "order_paid")]
    Paid { user: String, payment: String },
    /// An order was not placed, after the provider was asked. Whether it has the money, its books say.
    #[serde(rename = "order_failed")]
    Failed { user: String, code: String },
    /// An order that was paid for is stored.
    #[serde(rename = "order_placed")]
    Placed { order_id: OrderId, user: String, payment: String },
    #[serde(rename = "order_filled")]
    Filled { order_id: OrderId },
}

impl Activity {
    /// Starts to write to the file in the data folder, which has to exist. It ends with the cleanups: those that come before it are still heard.
    pub(crate) fn start(settings: &Settings, health: &Health, shutdown: &Shutdown) -> Activity {
        // Optional: whoever cannot tell of orders can still take them.
        let switch = health.switch("activity log").weight(Weight::Optional);
        Activity::with(&settings.data_dir, settings.activity_file_size.bytes(), switch, shutdown)
    }

    fn with(
        folder: &Path,
        file_size: u64,
        switch: underpin_health::Switch,
        shutdown: &Shutdown,
    ) -> Activity {
        let losses = Arc::new(Losses::new(switch));
        let (inbox, events) = mpsc::channel(QUEUE);
        let (close, closing) = oneshot::channel();
        let recorder = Recorder::new(folder, file_size, events, closing, Arc::clone(&losses));
        let tasks = Nursery::new().on_outcome(tell_of_failure);
        tasks.spawn("activity recorder", recorder.run());
        shutdown.defer("activity log", |_| async move {
            drop(close);
            tasks.close().await;
        });
        Activity { inbox, losses, readers: Arc::new(Readers::new(folder)) }
    }

    pub(crate) fn paid(&self, sender: &Sender, payment: &str) {
        self.tell(Event::Paid { user: sender.user.clone(), payment: payment.to_owned() });
    }

    pub(crate) fn failed(&self, sender: &Sender, fault: &Fault) {
        self.tell(Event::Failed { user: sender.user.clone(), code: fault.code().to_owned() });
    }

    pub(crate) fn placed(&self, order: &Order, sender: &Sender, payment: &str) {
        let (user, payment) = (sender.user.clone(), payment.to_owned());
        self.tell(Event::Placed { order_id: order.id, user, payment });
    }

    pub(crate) fn filled(&self, orders: impl IntoIterator<Item = OrderId>) {
        orders.into_iter().for_each(|order_id| self.tell(Event::Filled { order_id }));
    }

    /// Takes what fits into the queue, at once.
    fn tell(&self, event: Event) {
        match self.inbox.try_send(event) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.losses.lost(1, &"they come faster than they are written");
            }
            Err(TrySendError::Closed(_)) => self.losses.lost(1, &"the log is closed"),
        }
    }

    /// All that is in the files, the oldest first.
    ///
    /// # Errors
    ///
    /// When too many read already, or when the files cannot be opened.
    pub(crate) async fn read(&self) -> Result<Records, Fault> {
        self.readers.read().await
    }
}

/// Of a task whose result nobody waits for.
fn tell_of_failure(outcome: &Outcome) {
    match &outcome.result {
        Ok(()) | Err(Failure::Cancelled) => {}
        Err(failure) => tell(&format!("{} has failed: {failure}", outcome.name)),
    }
}

#[cfg(test)]
mod tests;
