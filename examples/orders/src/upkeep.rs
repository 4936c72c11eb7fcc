//! What is done every so often, for as long as the service runs.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use underpin_fault::{Fault, Kind, ResultExt as _};
use underpin_health::{Health, Switch, Weight};
use underpin_periodic::every;
use underpin_shutdown::{Phase, Shutdown};

use crate::{activity::Activity, store::Store};

/// How often the database is asked for a read and a commit.
const CHECK: Duration = Duration::from_secs(30);
/// How often somebody looks for what should have happened and has not.
const WATCHDOG: Duration = Duration::from_secs(300);
/// How often orders are filled, in place of an exchange.
const FILL: Duration = Duration::from_secs(1);

/// The database answers within this time or counts as down.
const PATIENCE: Duration = Duration::from_secs(5);
/// An order that has waited for this long has been forgotten.
const STUCK: Duration = Duration::from_secs(60);

/// Starts all of it. It ends with the draining, and what is active then is waited for.
pub(crate) fn start(store: &Store, activity: &Activity, health: &Health, shutdown: &Shutdown) {
    let until = || shutdown.at(Phase::Draining).unit();

    // The file is this machine's own, so without it this instance, and no other, cannot serve.
    let database = health.switch("database").weight(Weight::Critical).startup();
    let pulse = Arc::new(health.heartbeat("database check", 3 * CHECK));
    let of_check = (store.clone(), database, pulse);
    let check =
        every(CHECK).named("database check").immediately().until(until()).spawn(move |_| {
            let (store, database, pulse) = of_check.clone();
            async move {
                // Whatever the answer, this task lives: a slow disk is no reason for a restart.
                pulse.beat();
                check_database(&store, &database).await
            }
        });

    let backlog = health.switch("backlog").weight(Weight::Optional);
    let of_watchdog = (store.clone(), backlog);
    let watchdog =
        every(WATCHDOG).named("watchdog").immediately().until(until()).spawn(move |_| {
            let (store, backlog) = of_watchdog.clone();
            async move { look_for_the_forgotten(&store, &backlog).await }
        });

    let of_fill = (store.clone(), activity.clone());
    let fill = every(FILL).named("fill").until(until()).spawn(move |_| {
        let (store, activity) = of_fill.clone();
        async move { store.fill(FILL).await.map(|orders| activity.filled(orders)) }
    });

    shutdown.defer("periodic tasks", |_| async {
        tokio::join!(check.stop(), watchdog.stop(), fill.stop());
    });
}

async fn check_database(store: &Store, database: &Switch) -> Result<(), Fault> {
    let ping = timeout(PATIENCE, store.ping()).await;
    let result = ping.fault(Kind::DeadlineExceeded, "STORE_SILENT").and_then(|ping| Ok(ping?));
    match &result {
        Ok(()) => database.up(),
        Err(fault) => database.down(format!("{fault:#}")),
    }
    result
}

async fn look_for_the_forgotten(store: &Store, backlog: &Switch) -> Result<(), Fault> {
    match store.accepted(STUCK).await? {
        0 => backlog.up(),
        forgotten => backlog.down(format!("{forgotten} orders have waited for {STUCK:?}")),
    }
    Ok(store.checkpoint().await?)
}

#[cfg(test)]
mod tests {
    use underpin_health::State;

    use super::*;

    fn seen(health: &Health, name: &str) -> (State, String) {
        let parts = health.snapshot().parts;
        let part = parts.into_iter().find(|part| part.name == name).expect("it is registered");
        (part.state, part.reason.unwrap_or_default())
    }

    #[tokio::test]
    async fn a_database_that_is_closed_is_down_and_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let health = Health::new();
        let database = health.switch("database");
        check_database(&store, &database).await.unwrap();
        assert_eq!(seen(&health, "database").0, State::Up);
        store.close().await;
        assert!(check_database(&store, &database).await.is_err());
        let (state, reason) = seen(&health, "database");
        assert_eq!(state, State::Down);
        assert!(reason.contains("the database is closed"), "{reason}");
    }

    #[tokio::test]
    async fn orders_that_nobody_fills_degrade_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let health = Health::new();
        let backlog = health.switch("backlog").weight(Weight::Optional);
        look_for_the_forgotten(&store, &backlog).await.unwrap();
        assert_eq!(seen(&health, "backlog").0, State::Up);
        let old = "INSERT INTO orders (user, symbol, side, quantity, price, created_at)
            VALUES ('ann', 'ACME', 'buy', 1, 0, '2020-01-01T00:00:00.000Z')";
        rusqlite::Connection::open(dir.path().join("orders.db")).unwrap().execute(old, []).unwrap();
        look_for_the_forgotten(&store, &backlog).await.unwrap();
        let (state, reason) = seen(&health, "backlog");
        assert_eq!((state, &*reason), (State::Down, "1 orders have waited for 60s"));
    }
}
