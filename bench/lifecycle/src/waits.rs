//! Counting what is in flight, and polling a wait for the stop, beside tokio-util and a plain atomic.
//!
//! With two threads, the second one does the same all the time; the figure is what an operation takes on the first. The machine needs two cores
//! for that.

use std::{
    future::Future,
    hint::black_box,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
    time::Duration,
};

use measure::{Shared, Work, print, run_shared};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use underpin_shutdown::{Phase, Plan, Shutdown};

const BATCHES: usize = 101;
const BATCH: Duration = Duration::from_millis(4);

/// Prints the tables.
pub fn tables() {
    for threads in [1, 2] {
        table(&format!("in and out of flight, {threads} thread(s)"), guards(), threads);
    }
    for threads in [1, 2] {
        table(&format!("polling a wait once more, {threads} thread(s)"), polls(), threads);
    }
}

fn table(title: &str, contenders: Vec<Shared>, threads: usize) {
    print(title, &run_shared(contenders, threads, BATCHES, BATCH));
}

fn guards() -> Vec<Shared> {
    let tracker = Shutdown::new(Plan::new()).tracker("http");
    let task_tracker = TaskTracker::new();
    let atomic = Arc::new(AtomicUsize::new(0));
    vec![
        Shared::new("Tracker::admit", move || {
            let tracker = tracker.clone();
            Box::new(move || drop(black_box(tracker.admit())))
        }),
        Shared::new("TaskTracker::token", move || {
            let tracker = task_tracker.clone();
            Box::new(move || drop(black_box(tracker.token())))
        }),
        Shared::new("one atomic, added and subtracted", move || {
            let atomic = atomic.clone();
            Box::new(move || {
                atomic.fetch_add(1, Ordering::AcqRel);
                black_box(&atomic).fetch_sub(1, Ordering::AcqRel);
            })
        }),
    ]
}

/// Each thread has a wait of its own, polled before, with a waker that stays the same: what a connection's `select!` does.
fn polls() -> Vec<Shared> {
    let shutdown = Shutdown::new(Plan::new());
    let token = CancellationToken::new();
    let (sender, receiver) = watch::channel(false);
    let sender = Arc::new(sender);
    vec![
        Shared::new("Shutdown::at", move || polled(Box::pin(shutdown.at(Phase::Draining).unit()))),
        Shared::new("CancellationToken::cancelled", move || {
            polled(Box::pin(token.clone().cancelled_owned()))
        }),
        Shared::new("watch::Receiver::changed", move || {
            let (mut receiver, sender) = (receiver.clone(), sender.clone());
            polled(Box::pin(async move {
                let _ = receiver.changed().await;
                drop(sender);
            }))
        }),
    ]
}

fn polled(mut future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Work {
    Box::new(move || {
        let waker = Waker::noop();
        assert!(future.as_mut().poll(&mut Context::from_waker(black_box(waker))).is_pending());
    })
}
