//! Batches of tasks: isolated, aborted, waited for.

use std::{
    convert::Infallible,
    future::{pending, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    thread,
    time::Duration,
};

use tokio::{
    sync::{Barrier, oneshot},
    task::yield_now,
};
use underpin_tasks::{Failure, each};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_and_limit_hold_over_threads() {
    let now = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let results = each(0..500)
        .limit(7)
        .spawned()
        .map(|item| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                item
            }
        })
        .await;
    assert_eq!(results, (0..500).collect::<Vec<_>>());
    assert!((2..=7).contains(&most.load(Ordering::SeqCst)), "{most:?} at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_use_several_threads() {
    // Blocks each of the two until both are there, which one thread could never do.
    let meeting = Arc::new(std::sync::Barrier::new(2));
    let threads = each(0..2)
        .spawned()
        .map(|_| {
            let meeting = Arc::clone(&meeting);
            async move {
                meeting.wait();
                thread::current().id()
            }
        })
        .await;
    assert_ne!(threads[0], threads[1]);
}

#[tokio::test]
async fn the_first_error_waits_for_the_others_to_end() {
    let (live, guard) = live();
    let all = Arc::new(Barrier::new(5));
    let result = each(0..5)
        .spawned()
        .try_map(|item| {
            let (guard, all) = (guard.clone(), Arc::clone(&all));
            async move {
                let _guard = guard;
                all.wait().await;
                if item == 3 { Err(item) } else { pending().await }
            }
        })
        .await;
    drop(guard);
    assert_eq!(result, Err::<Vec<Infallible>, _>(3));
    assert_eq!(live.load(Ordering::SeqCst), 0);
    assert_eq!(alive(), 0);
}

#[tokio::test]
async fn a_panic_goes_on_in_the_caller_after_the_others_have_ended() {
    let mut batch = Box::pin(each(0..3).spawned().map(|item| async move {
        assert!(item != 1, "item {item}");
        pending::<()>().await;
    }));
    let (payload, alive) =
        poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| batch.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(_)) => panic!("the batch was done"),
            Err(payload) => Poll::Ready((payload, alive())),
        })
        .await;
    assert_eq!(payload.downcast_ref::<String>().unwrap(), "item 1");
    assert_eq!(alive, 0);
}

#[tokio::test]
async fn in_settle_a_panic_is_its_items_failure() {
    let settled = each(0..4)
        .limit(2)
        .spawned()
        .settle(|item| {
            assert!(item != 0, "no future for {item}");
            async move {
                assert!(item != 1, "item {item}");
                if item == 2 { Err("two") } else { Ok(item) }
            }
        })
        .await;
    let messages = settled.iter().map(|result| match result {
        Ok(item) => item.to_string(),
        Err(failure) => failure.to_string(),
    });
    let expected = ["panicked: no future for 0", "panicked: item 1", "two", "3"];
    assert_eq!(messages.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn dropping_the_batch_aborts_its_tasks() {
    let (live, guard) = live();
    {
        let mut batch = pin!(each(0..3).spawned().map(|_| {
            let guard = guard.clone();
            async move {
                let _guard = guard;
                pending::<()>().await;
            }
        }));
        poll_fn(|cx| {
            assert!(batch.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        assert_eq!(alive(), 3);
    }
    drop(guard);
    // Aborted tasks are dropped by the runtime, which has its turn when this one yields.
    for _ in 0..100 {
        yield_now().await;
    }
    assert_eq!((alive(), live.load(Ordering::SeqCst)), (0, 0));
}

#[tokio::test]
async fn a_stop_aborts_and_keeps_what_is_done() {
    let (stop, stopped) = oneshot::channel::<()>();
    let mut stop = Some(stop);
    let settled = each(0..5)
        .limit(3)
        .until(stopped)
        .spawned()
        .settle(|item| {
            let stop = if item == 3 { stop.take() } else { None };
            async move {
                match item {
                    0 => return Ok(item),
                    1 => return Err("one"),
                    3 => drop(stop),
                    _ => {}
                }
                pending().await
            }
        })
        .await;
    assert_eq!(alive(), 0);
    assert!(matches!(settled[..2], [Ok(0), Err(Failure::Error("one"))]), "{settled:?}");
    assert!(settled[2..].iter().all(|result| matches!(result, Err(Failure::Cancelled))));
    assert_eq!(settled.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn time_is_limited_in_the_task_itself() {
    const LIMIT: Duration = Duration::from_secs(1);
    let batch = || each(0..2).timeout(LIMIT).spawned();
    let operation = |item| async move { if item == 0 { Ok(item) } else { pending().await } };
    let settled = batch().settle::<_, _, _, String>(operation).await;
    assert!(matches!(settled[..], [Ok(0), Err(Failure::TimedOut(LIMIT))]), "{settled:?}");
    let all = batch().try_map::<_, _, _, String>(operation).await;
    assert!(matches!(all, Err(Failure::TimedOut(LIMIT))));
    assert_eq!(alive(), 0);
}

#[test]
fn without_a_runtime_it_is_the_caller_who_is_told() {
    let mut batch = pin!(each([1]).spawned().settle(async |n| Ok::<_, String>(n)));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(catch_unwind(AssertUnwindSafe(|| batch.as_mut().poll(&mut cx))).is_err());
}

/// Tasks that the runtime still has.
fn alive() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// A count of the guards that are left.
fn live() -> (Arc<AtomicUsize>, Guard) {
    let live = Arc::new(AtomicUsize::new(1));
    (Arc::clone(&live), Guard(live))
}

struct Guard(Arc<AtomicUsize>);

impl Clone for Guard {
    fn clone(&self) -> Guard {
        self.0.fetch_add(1, Ordering::SeqCst);
        Guard(Arc::clone(&self.0))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
