//! Operations that wait for each other's locks: whoever is handed a lock must be polled, or everybody waits for ever.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, Semaphore, mpsc},
    task::yield_now,
    time::{Instant, sleep, timeout},
};
use underpin_tasks::each;

const PATIENCE: Duration = Duration::from_secs(600);

#[tokio::test(start_paused = true)]
async fn a_lock_that_all_operations_share_is_passed_on() {
    for limit in [1, 2, 7, 100] {
        let lock = Mutex::new(0);
        let batch = each(0..100).limit(limit).map(async |_| {
            let mut count = lock.lock().await;
            yield_now().await;
            *count += 1;
        });
        timeout(PATIENCE, batch).await.expect("an operation held the lock unpolled");
        assert_eq!(lock.into_inner(), 100);
    }
}

/// What `buffered` gets wrong when the loop's body takes the lock: the next operation is handed it and is not polled again.
/// Here the follow-up belongs to the operation, and results are all there before other code runs.
#[tokio::test(start_paused = true)]
async fn a_lock_taken_after_the_result_is_free() {
    let lock = Arc::new(Mutex::new(0));
    let batch = each(0..10).limit(3).map(async |item| {
        let guard = lock.lock().await;
        sleep(Duration::from_millis(5)).await; // sleep-ok: time is paused
        drop(guard);
        item
    });
    for item in timeout(PATIENCE, batch).await.expect("stuck") {
        *timeout(PATIENCE, lock.lock()).await.expect("the lock is free") += item;
    }
}

#[tokio::test(start_paused = true)]
async fn a_timed_out_waiter_passes_the_lock_on() {
    let lock = Mutex::new(());
    let batch =
        each([900_u64, 900, 900, 10]).timeout(Duration::from_secs(1)).settle(async |millis| {
            let _guard = lock.lock().await;
            sleep(Duration::from_millis(millis)).await; // sleep-ok: time is paused
            Ok::<_, String>(())
        });
    let settled = timeout(PATIENCE, batch).await.expect("stuck");
    assert!(settled[0].is_ok() && settled[1].is_err(), "{settled:?}");
    assert!(lock.try_lock().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_batch_inside_a_batch_shares_a_semaphore() {
    let permits = Semaphore::new(2);
    let outer = each(0..10).limit(4).map(async |_| {
        each(0..10)
            .limit(3)
            .map(async |item| {
                let _permit = permits.acquire().await.unwrap();
                yield_now().await;
                item
            })
            .await
            .len()
    });
    assert_eq!(timeout(PATIENCE, outer).await.expect("stuck"), [10; 10]);
}

/// A full channel between operations of one batch: the producer waits for the consumer, which is its neighbour.
#[tokio::test(start_paused = true)]
async fn neighbours_can_feed_each_other() {
    let (sender, receiver) = mpsc::channel(1);
    let mut ends = [Some((Some(sender), None)), Some((None, Some(receiver)))];
    let batch = each(0..2_usize).map(|side| {
        let end = ends[side].take().unwrap();
        async move {
            let mut count = 0;
            match end {
                (Some(sender), _) => {
                    for item in 0..1000 {
                        sender.send(item).await.unwrap();
                        count += 1;
                    }
                }
                (_, Some(mut receiver)) => {
                    let receiver: &mut mpsc::Receiver<i32> = &mut receiver;
                    while receiver.recv().await.is_some() {
                        count += 1;
                    }
                }
                _ => unreachable!("every side has an end"),
            }
            count
        }
    });
    assert_eq!(timeout(PATIENCE, batch).await.expect("stuck"), [1000, 1000]);
}

/// What a loop over `buffered` does to its neighbours: while the body works on one item, nobody polls the others, and their servers hang up.
/// Here the work belongs to the operation, and neighbours are polled during it.
#[tokio::test(start_paused = true)]
async fn long_work_on_one_item_leaves_no_other_unpolled() {
    let batch = each(0..20_u64).limit(5).settle(async |item| {
        for _ in 0..10 {
            let asked = Instant::now();
            sleep(Duration::from_millis(100)).await; // sleep-ok: time is paused
            if asked.elapsed() > Duration::from_millis(150) {
                return Err("the server hung up");
            }
        }
        sleep(Duration::from_secs(item)).await; // sleep-ok: time is paused
        Ok(())
    });
    let settled = timeout(PATIENCE, batch).await.expect("stuck");
    assert!(settled.iter().all(Result::is_ok), "{settled:?}");
}

/// A `select!` over `&mut batch` that goes on with the other branch keeps the batch, and polls it no more. Operations of
/// the same task cannot go on then; those of a spawned batch do, and pass on the lock that they are handed.
#[tokio::test(start_paused = true)]
async fn a_spawned_batch_that_is_no_longer_polled_passes_the_lock_on() {
    let lock = Arc::new(Mutex::new(()));
    let held = lock.clone().lock_owned().await;
    let shared = lock.clone();
    let mut batch = pin!(each(0..3).spawned().map(move |_| {
        let lock = Arc::clone(&shared);
        async move { drop(lock.lock().await) }
    }));
    assert!(timeout(Duration::from_secs(1), batch.as_mut()).await.is_err());
    drop(held);
    drop(timeout(PATIENCE, lock.lock()).await.expect("the lock is passed on"));
    assert_eq!(timeout(PATIENCE, batch).await.expect("stuck").len(), 3);
}

/// The same with a batch of the same task: it must be dropped, and then gives back what its operations were handed.
#[tokio::test(start_paused = true)]
async fn a_batch_that_is_dropped_passes_the_lock_on() {
    let lock = Mutex::new(());
    let held = lock.lock().await;
    let batch = each(0..3).map(async |_| drop(lock.lock().await));
    assert!(timeout(Duration::from_secs(1), batch).await.is_err());
    drop(held);
    drop(timeout(PATIENCE, lock.lock()).await.expect("the lock is passed on"));
}
