//! The store against a real file.

use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::order::{NewOrder, Order, OrderId, Side, Status};

fn open() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("made")).unwrap();
    (dir, store)
}

fn some(quantity: f64) -> NewOrder {
    NewOrder { symbol: "ACME".to_owned(), side: Side::Buy, quantity, price: 0.1 + 0.2 }
}

fn sender(user: &str, key: Option<&str>) -> Sender {
    Sender { user: user.to_owned(), idempotency_key: key.map(str::to_owned) }
}

async fn place(store: &Store, key: Option<&str>, quantity: f64) -> Order {
    match store.place(sender("ann", key), some(quantity), "ch_1".to_owned()).await.unwrap() {
        Placed::Now(order) | Placed::Before(order) => order,
        Placed::KeyIsTaken => panic!("the key is taken"),
    }
}

#[tokio::test]
async fn an_order_is_there_after_the_file_was_opened_again() {
    let (dir, store) = open();
    let order = place(&store, None, 1.0 / 3.0).await;
    assert_eq!((order.status, order.price), (Status::Accepted, 0.1 + 0.2));
    assert_eq!(store.find(order.id).await.unwrap(), Some(order.clone()));
    store.close().await;
    assert!(matches!(store.find(order.id).await, Err(StoreError::Closed)));
    let again = Store::open(&dir.path().join("made")).unwrap();
    assert_eq!(again.find(order.id).await.unwrap(), Some(order.clone()));
    assert_eq!(again.find(OrderId(order.id.0 + 1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_key_places_one_order_of_one_user() {
    let (_dir, store) = open();
    let first = place(&store, Some("k"), 1.0).await;
    let again = store.place(sender("ann", Some("k")), some(1.0), "ch_2".to_owned());
    assert_eq!(again.await.unwrap(), Placed::Before(first.clone()));
    let again = store.place(sender("ann", Some("k")), some(2.0), "ch_2".to_owned());
    assert_eq!(again.await.unwrap(), Placed::KeyIsTaken);
    let other = store.place(sender("bob", Some("k")), some(2.0), "ch_2".to_owned()).await.unwrap();
    assert!(matches!(other, Placed::Now(order) if order.id > first.id));
    assert!(place(&store, None, 1.0).await.id != place(&store, None, 1.0).await.id);
}

#[tokio::test]
async fn what_a_key_has_placed_is_found_before_anybody_pays_again() {
    let (_dir, store) = open();
    let (ann, bob) = (sender("ann", Some("k")), sender("bob", Some("k")));
    assert_eq!(store.placed(&ann, &some(1.0)).await.unwrap(), None);
    let order = place(&store, Some("k"), 1.0).await;
    assert_eq!(store.placed(&ann, &some(1.0)).await.unwrap(), Some(Placed::Before(order)));
    assert_eq!(store.placed(&ann, &some(2.0)).await.unwrap(), Some(Placed::KeyIsTaken));
    assert_eq!(store.placed(&bob, &some(1.0)).await.unwrap(), None);
    assert_eq!(store.placed(&sender("ann", None), &some(1.0)).await.unwrap(), None);
}

#[tokio::test]
async fn two_stores_on_one_file_place_one_order_for_a_key() {
    let (dir, one) = open();
    let two = Store::open(&dir.path().join("made")).unwrap();
    for round in 0..50 {
        let key = format!("key {round}");
        let (a, b) = tokio::join!(place(&one, Some(&key), 1.0), place(&two, Some(&key), 1.0));
        assert_eq!(a, b);
    }
    assert_eq!(one.page(None, 100).await.unwrap().orders.len(), 50);
}

#[test]
fn a_new_file_may_be_opened_by_several_at_once() {
    for _ in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let open = || Store::open(dir.path()).map(drop);
        std::thread::scope(|scope| {
            let openers: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            for opener in openers {
                opener.join().unwrap().unwrap();
            }
        });
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let (_dir, store) = open();
    let mut placed = Vec::new();
    for _ in 0..7 {
        placed.push(place(&store, None, 1.0).await.id);
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.page(after, 3).await.unwrap();
        assert!(page.orders.len() <= 3);
        seen.extend(page.orders.iter().map(|order| order.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, placed);
    // A full page that is the last one has none after it.
    assert_eq!(store.page(None, 7).await.unwrap().next, None);
}

#[tokio::test]
async fn changes_of_another_process_come_in_their_order() {
    let (dir, store) = open();
    let since = store.revision().await.unwrap();
    let (a, b) = (place(&store, None, 1.0).await.id, place(&store, None, 2.0).await.id);
    let other = Connection::open(dir.path().join("made/orders.db")).unwrap();
    let sql = "UPDATE orders SET status = 'filled', filled_quantity = quantity WHERE id = ?1";
    other.execute(sql, [a.0]).unwrap();
    let changes = store.changes(since, 100).await.unwrap();
    let seen: Vec<_> = changes.iter().map(|update| (update.order_id, update.status)).collect();
    assert_eq!(seen, [(b, Status::Accepted), (a, Status::Filled)]);
    assert!(changes.is_sorted_by_key(|update| update.revision));
    assert_eq!(store.changes(changes[1].revision, 100).await.unwrap(), []);
    assert_eq!(store.state(a).await.unwrap().unwrap(), changes[1]);
}

#[tokio::test]
async fn only_old_orders_are_filled() {
    let (_dir, store) = open();
    let id = place(&store, None, 2.5).await.id;
    assert_eq!(store.fill(Duration::from_secs(3600)).await.unwrap(), []);
    assert_eq!(store.accepted(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(store.fill(Duration::ZERO).await.unwrap(), [id]);
    let state = store.state(id).await.unwrap().unwrap();
    assert_eq!((state.status, state.filled_quantity), (Status::Filled, 2.5));
    assert_eq!(store.fill(Duration::ZERO).await.unwrap(), []);
}

#[tokio::test]
async fn a_commit_and_a_checkpoint_come_through() {
    let (_dir, store) = open();
    store.ping().await.unwrap();
    store.checkpoint().await.unwrap();
}
