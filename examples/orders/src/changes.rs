//! Changes to orders, whoever made them, for those who watch.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{sleep, timeout},
};
use underpin_health::Heartbeat;
use underpin_shutdown::{Phase, Shutdown, Stopped};

use crate::{
    order::{OrderId, Update},
    store::{Store, StoreError},
};

/// How late a change is seen at the most. A look costs one search in an index, whether or not anybody watches.
const LOOK: Duration = Duration::from_millis(50);
/// Changes that one look takes; after a full one the next follows at once.
const MOST: u32 = 500;
/// Changes that are kept for a watcher that is slow. One that falls behind further reads the state of its order instead.
const KEPT: usize = 1024;
/// A look that takes longer is given up, so that a slow disk does not pass for a dead task.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where changes are announced.
#[derive(Clone)]
pub(crate) struct Changes {
    store: Store,
    updates: broadcast::Sender<Arc<Update>>,
    shutdown: Shutdown,
}

/// One order, watched: its state, then each change, then a goodbye when the service stops.
pub(crate) struct Feed {
    updates: Updates,
    leaving: Stopped,
    has_ended: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) enum News {
    Update(Arc<Update>),
    /// The service stops: watch another instance.
    Goodbye,
}

impl Changes {
    pub(crate) fn new(store: &Store, shutdown: &Shutdown) -> Changes {
        let (updates, _) = broadcast::channel(KEPT);
        Changes { store: store.clone(), updates, shutdown: shutdown.clone() }
    }

    /// Looks for changes until the service drains: to be run once, as a task of the process.
    pub(crate) async fn announce(self, pulse: Heartbeat) -> Result<(), StoreError> {
        let mut leaving = self.shutdown.at(Phase::Draining);
        let mut since = self.store.revision().await?;
        loop {
            pulse.beat();
            // What fails is tried again; the check of the database says so.
            if let Ok(Ok(updates)) = timeout(PATIENCE, self.store.changes(since, MOST)).await {
                let is_full = updates.len() >= MOST as usize;
                for update in updates {
                    since = update.revision;
                    // Nobody watches, that is all that can go wrong.
                    let _ = self.updates.send(Arc::new(update));
                }
                if is_full {
                    continue;
                }
            }
            tokio::select! {
                _ = &mut leaving => break,
                () = sleep(LOOK) => {}
            }
        }
        pulse.finish();
        Ok(())
    }

    /// Watches an order, if there is one.
    pub(crate) async fn watch(&self, id: OrderId) -> Result<Option<Feed>, StoreError> {
        let announced = self.updates.subscribe();
        // After the subscription, so that no change falls in between.
        let Some(state) = self.store.state(id).await? else { return Ok(None) };
        let updates = Updates {
            id,
            store: self.store.clone(),
            announced,
            told: 0,
            state: Some(state),
            is_behind: false,
        };
        let leaving = self.shutdown.at(Phase::Draining);
        Ok(Some(Feed { updates, leaving, has_ended: false }))
    }
}

impl Feed {
    /// What comes next; nothing after the goodbye, nor once the database has failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<News> {
        if self.has_ended {
            return None;
        }
        let news = tokio::select! {
            biased;
            _ = &mut self.leaving => Some(News::Goodbye),
            update = self.updates.next() => update.map(News::Update),
        };
        self.has_ended = !matches!(news, Some(News::Update(_)));
        news
    }
}

/// The state of an order and the changes after it, without the goodbye.
struct Updates {
    id: OrderId,
    store: Store,
    announced: broadcast::Receiver<Arc<Update>>,
    /// The revision that was told last.
    told: i64,
    /// Read, and not told yet.
    state: Option<Update>,
    /// Announcements were missed, so the state must be read again.
    is_behind: bool,
}

impl Updates {
    async fn next(&mut self) -> Option<Arc<Update>> {
        loop {
            if self.is_behind {
                self.state = self.store.state(self.id).await.ok()?;
                self.is_behind = false;
            }
            let update = match self.state.take() {
                Some(state) => Arc::new(state),
                None => match self.announced.recv().await {
                    Ok(update) => update,
                    Err(RecvError::Lagged(_)) => {
                        self.is_behind = true;
                        continue;
                    }
                    Err(RecvError::Closed) => return None,
                },
            };
            if update.order_id == self.id && update.revision > self.told {
                self.told = update.revision;
                return Some(update);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use underpin_health::Health;
    use underpin_shutdown::{Plan, Reason};

    use super::*;
    use crate::{
        order::{NewOrder, Side, Status},
        store::{Placed, Sender},
    };

    struct Setting {
        _dir: tempfile::TempDir,
        store: Store,
        shutdown: Shutdown,
        changes: Changes,
    }

    fn setting() -> Setting {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let shutdown = Shutdown::new(Plan::new());
        let changes = Changes::new(&store, &shutdown);
        Setting { _dir: dir, store, shutdown, changes }
    }

    async fn place(store: &Store) -> OrderId {
        let sender = Sender { user: "ann".to_owned(), idempotency_key: None };
        let order =
            NewOrder { symbol: "ACME".to_owned(), side: Side::Buy, quantity: 3.0, price: 0.0 };
        match store.place(sender, order, "ch_1".to_owned()).await.unwrap() {
            Placed::Now(order) => order.id,
            Placed::Before(_) | Placed::KeyIsTaken => unreachable!("there is no key"),
        }
    }

    async fn told(feed: &mut Feed) -> Option<Status> {
        match timeout(Duration::from_secs(20), feed.next()).await.expect("it is told in time") {
            Some(News::Update(update)) => Some(update.status),
            Some(News::Goodbye) => None,
            None => panic!("it has ended"),
        }
    }

    #[tokio::test]
    async fn the_state_comes_first_then_changes_then_one_goodbye() {
        let Setting { _dir, store, shutdown, changes } = setting();
        let id = place(&store).await;
        let mut feed = changes.watch(id).await.unwrap().unwrap();
        assert_eq!(told(&mut feed).await, Some(Status::Accepted));

        let mut tasks = tokio::task::JoinSet::new();
        let pulse = Health::new().heartbeat("changes", Duration::from_secs(60));
        tasks.spawn(changes.clone().announce(pulse));
        place(&store).await;
        store.fill(Duration::ZERO).await.unwrap();
        assert_eq!(told(&mut feed).await, Some(Status::Filled));

        shutdown.trigger(Reason::Requested("the test".into()));
        assert_eq!(told(&mut feed).await, None);
        assert_eq!(feed.next().await, None);
        tasks.join_next().await.unwrap().unwrap().unwrap();
    }

    #[tokio::test]
    async fn who_falls_behind_gets_the_state_and_nothing_older() {
        let Setting { _dir, store, shutdown: _shutdown, changes } = setting();
        let id = place(&store).await;
        let mut feed = changes.watch(id).await.unwrap().unwrap();
        assert_eq!(told(&mut feed).await, Some(Status::Accepted));
        let old = Arc::new(store.state(id).await.unwrap().unwrap());
        store.fill(Duration::ZERO).await.unwrap();
        for _ in 0..=KEPT {
            changes.updates.send(Arc::clone(&old)).unwrap();
        }
        assert_eq!(told(&mut feed).await, Some(Status::Filled));
        // The rest of what was announced is older than that.
        assert!(timeout(Duration::from_millis(1), feed.next()).await.is_err());
    }

    #[tokio::test]
    async fn an_order_that_does_not_exist_is_not_watched() {
        let Setting { _dir, shutdown: _shutdown, changes, .. } = setting();
        assert!(changes.watch(OrderId(7)).await.unwrap().is_none());
    }
}
