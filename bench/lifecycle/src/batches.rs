//! A bounded batch beside futures' and futures-buffered's ordered buffers, and beside a `JoinSet` behind a semaphore.
//!
//! All of a table run the same operations under the same executor and collect the same results in the order of the items.
//! An operation yields as often as its number says, so that they finish out of order and every wake goes through the waker that is measured.

use std::{
    future::{Future, poll_fn},
    hint::black_box,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use futures::{StreamExt, executor::block_on, stream};
use futures_buffered::BufferedStreamExt;
use measure::{Contender, print, run};
use tokio::{
    runtime::{Builder, Runtime},
    sync::Semaphore,
    task::JoinSet,
};
use underpin_tasks::each;

const BATCHES: usize = 51;
const BATCH: Duration = Duration::from_millis(10);

/// Prints the tables.
pub fn tables() {
    for (items, limit) in [(10, 5), (100, 10), (1_000, 10), (1_000, 100), (10_000, 1_000)] {
        compare("that yield 0 to 3 times", items, limit, |item| yields(item, item * 7 % 4));
    }
    for (items, limit) in [(1_000, 10), (10_000, 1_000)] {
        compare("that are ready at once", items, limit, |item| yields(item, 0));
    }
    let runtime =
        Builder::new_multi_thread().worker_threads(2).build().expect("a runtime can be built");
    for (items, limit) in [(100, 10), (1_000, 100)] {
        compare_spawned(&runtime, items, limit);
    }
}

fn compare<F, Fut>(what: &str, items: u32, limit: usize, operation: F)
where
    F: Fn(u32) -> Fut + Copy,
    Fut: Future<Output = u32>,
{
    let figures = run(
        vec![
            Contender::new("futures-buffered, buffered_ordered", move || {
                let stream = stream::iter(0..items).map(operation).buffered_ordered(limit);
                block_on(stream.collect::<Vec<_>>())
            }),
            Contender::new("futures, buffered", move || {
                let stream = stream::iter(0..items).map(operation).buffered(limit);
                block_on(stream.collect::<Vec<_>>())
            }),
            Contender::new("each().limit().map()", move || {
                block_on(each(0..items).limit(limit).map(operation))
            }),
            Contender::new("each().limit().settle()", move || {
                let operation = async |item| Ok::<_, ()>(operation(item).await);
                block_on(each(0..items).limit(limit).settle(operation))
            }),
        ],
        BATCHES,
        BATCH,
    );
    print(&format!("{items} operations {what}, {limit} at once"), &figures);
}

/// As tasks of their own, on two workers: the allocations are those of the thread that waits.
fn compare_spawned(runtime: &Runtime, items: u32, limit: usize) {
    let operation = |item: u32| yields(item, item * 7 % 4);
    let figures = run(
        vec![
            Contender::new("JoinSet behind a Semaphore", move || {
                runtime.block_on(async move {
                    let semaphore = Arc::new(Semaphore::new(limit));
                    let mut tasks = JoinSet::new();
                    for item in 0..items {
                        let permit =
                            semaphore.clone().acquire_owned().await.expect("it is never closed");
                        tasks.spawn(async move {
                            let result = operation(item).await;
                            drop(permit);
                            (item, result)
                        });
                    }
                    let mut results = tasks.join_all().await;
                    results.sort_unstable_by_key(|(item, _)| *item);
                    results
                })
            }),
            Contender::new("futures, buffered, of tokio::spawn", move || {
                let tasks = stream::iter(0..items).map(|item| tokio::spawn(operation(item)));
                runtime.block_on(tasks.buffered(limit).collect::<Vec<_>>())
            }),
            Contender::new("each().limit().spawned().map()", move || {
                runtime.block_on(each(0..items).limit(limit).spawned().map(operation))
            }),
        ],
        BATCHES,
        BATCH,
    );
    print(&format!("{items} operations as tasks of their own, {limit} at once"), &figures);
}

/// Resolves to `item` after it has woken itself `times` times.
fn yields(item: u32, times: u32) -> impl Future<Output = u32> {
    let mut left = times;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(black_box(item));
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}
