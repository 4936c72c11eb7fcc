//! A bounded batch in one task beside futures' and futures-buffered's ordered buffers.
//!
//! All three run the same operations under the same executor and collect the same results in the order of the items.
//! An operation yields as often as its number says, so that they finish out of order and every wake goes through the waker that is measured.

use std::{
    future::{Future, poll_fn},
    hint::black_box,
    task::Poll,
    time::Duration,
};

use futures::{StreamExt, executor::block_on, stream};
use futures_buffered::BufferedStreamExt;
use measure::{Contender, Counting, print, run};
use underpin_tasks::each;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BATCHES: usize = 51;
const BATCH: Duration = Duration::from_millis(10);

fn main() {
    for (items, limit) in [(10, 5), (100, 10), (1_000, 10), (1_000, 100), (10_000, 1_000)] {
        compare("that yield 0 to 3 times", items, limit, |item| yields(item, item * 7 % 4));
    }
    for (items, limit) in [(1_000, 10), (10_000, 1_000)] {
        compare("that are ready at once", items, limit, |item| yields(item, 0));
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
