//! Tasks that end with their owner.

use std::{
    convert::Infallible,
    future::pending,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    runtime::{Builder, Handle},
    sync::{mpsc, oneshot},
    task::yield_now,
};
use underpin_tasks::{Failure, Nursery, Tally};

#[tokio::test]
async fn close_waits_for_every_task_and_counts_how_they_ended() {
    let (release, released) = oneshot::channel::<()>();
    let nursery = Nursery::new();
    nursery.spawn("waits", async { released.await.map_err(|_| "released by drop") });
    nursery.spawn("fails", async { Err("broken") });
    nursery.spawn("panics", async { panic!("oh") as Result<(), Infallible> });
    assert_eq!(nursery.len(), 3);
    let mut close = pin!(nursery.close());
    for _ in 0..10 {
        tokio::select! {
            biased;
            tally = &mut close => panic!("{tally:?} while a task runs"),
            () = yield_now() => {}
        }
    }
    release.send(()).expect("the task waits");
    assert_eq!(close.await, Tally { succeeded: 1, failed: 1, panicked: 1, cancelled: 0 });
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test]
async fn every_outcome_is_shown_with_its_name() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let nursery = Nursery::new().on_outcome({
        let seen = Arc::clone(&seen);
        move |outcome| {
            let text = match &outcome.result {
                Ok(()) => "ok".to_owned(),
                Err(failure) => failure.to_string(),
            };
            seen.lock().expect("no panic").push(format!("{}: {text}", outcome.name));
        }
    });
    nursery.spawn("a", async { Ok::<_, Infallible>(()) });
    nursery.spawn("b".to_owned(), async { Err(std::io::Error::other("gone")) });
    nursery.spawn("c", async { panic!("oh") as Result<(), Infallible> });
    nursery.spawn("d", pending::<Result<(), Infallible>>());
    while nursery.len() > 1 {
        yield_now().await;
    }
    assert_eq!(nursery.abort().await.cancelled, 1);
    let mut seen = seen.lock().expect("no panic").clone();
    seen.sort();
    assert_eq!(seen, ["a: ok", "b: gone", "c: panicked: oh", "d: cancelled before it finished"]);
}

#[tokio::test]
async fn dropping_it_aborts_its_tasks() {
    let (outcomes, mut seen) = mpsc::unbounded_channel();
    let (alive, mut ended) = mpsc::channel::<()>(1);
    let nursery = Nursery::new().on_outcome(move |outcome| {
        let cancelled = matches!(outcome.result, Err(Failure::Cancelled));
        let _ = outcomes.send(cancelled);
    });
    for _ in 0..3 {
        let alive = alive.clone();
        nursery.spawn("for ever", async move {
            let _alive = alive;
            pending::<Result<(), Infallible>>().await
        });
    }
    // One of them has not been polled when it is aborted.
    yield_now().await;
    nursery.spawn("late", pending::<Result<(), Infallible>>());
    drop((nursery, alive));
    assert_eq!(ended.recv().await, None);
    for _ in 0..4 {
        assert_eq!(seen.recv().await, Some(true));
    }
}

/// An aborted task is gone before the wait for it is over: its guard has been dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_abort_nothing_of_a_task_is_left() {
    struct Guard(Arc<AtomicUsize>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    for _ in 0..100 {
        let live = Arc::new(AtomicUsize::new(0));
        let nursery = Nursery::new();
        for _ in 0..20 {
            live.fetch_add(1, Ordering::SeqCst);
            let guard = Guard(Arc::clone(&live));
            nursery.spawn("guarded", async move {
                let _guard = guard;
                yield_now().await;
                pending::<Result<(), Infallible>>().await
            });
        }
        let tally = nursery.abort().await;
        assert_eq!((live.load(Ordering::SeqCst), tally.cancelled), (0, 20));
    }
}

#[tokio::test]
async fn nothing_accumulates() {
    let nursery = Nursery::new();
    for round in 0..100 {
        let before = Handle::current().metrics().num_alive_tasks();
        for _ in 0..100 {
            nursery.spawn("short", async { Ok::<_, Infallible>(()) });
        }
        while !nursery.is_empty() {
            yield_now().await;
        }
        assert_eq!(before, 0, "in round {round}");
    }
    assert_eq!(nursery.close().await.succeeded, 10_000);
}

#[tokio::test]
async fn a_panicking_observer_loses_no_count() {
    let nursery = Nursery::new().on_outcome(|_| panic!("in the observer"));
    nursery.spawn("a", async { Ok::<_, Infallible>(()) });
    assert_eq!(nursery.close().await.succeeded, 1);
}

#[test]
fn the_end_of_the_runtime_ends_the_tasks() {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let nursery = Nursery::new();
    {
        let _inside = runtime.enter();
        nursery.spawn("never polled", pending::<Result<(), Infallible>>());
    }
    let handle = runtime.handle().clone();
    drop(runtime);
    assert!(nursery.is_empty());
    {
        let _inside = handle.enter();
        nursery.spawn("too late", pending::<Result<(), Infallible>>());
    }
    assert!(nursery.is_empty());
    let other = Builder::new_current_thread().build().expect("a runtime");
    assert_eq!(other.block_on(nursery.close()).cancelled, 2);
}
