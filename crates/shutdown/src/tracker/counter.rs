//! How many are in flight, counted without a lock and without a line that all threads write.

use std::task::Waker;

use crate::{
    shards::Padded,
    sync::{AtomicUsize, Mutex, Ordering, lock},
};

/// Set in a shard that admits nobody any more. A shard's word holds it beside the count, so that one atomic
/// operation both counts and learns whether it may.
const CLOSED: usize = 1 << (usize::BITS - 1);

/// Counts what is in flight. Each shard counts its own; a guard leaves through the shard that it entered by.
///
/// # Why a sum of zero means that nobody is left
///
/// [`poll_drained`](Counter::poll_drained) reads one shard after the other, while guards come and go.
/// After all shards are closed, the guards of a shard only become fewer, but for an entrance that is about to find out
/// that it came too late; so each shard that was read as empty stays empty.
/// What enters in spite of that ([`enter_anyway`](Counter::enter_anyway)) is counted in one place of its own, `late`, which is read
/// last: work that is handed over by a guard is in `late` before that guard leaves, so whoever sees the guard gone
/// sees the work.
#[derive(Debug)]
pub(super) struct Counter {
    shards: Box<[Padded<AtomicUsize>]>,
    late: Padded<AtomicUsize>,
    /// Who waits for the end: the one sequence of the shutdown.
    waiter: Mutex<Option<Waker>>,
}

/// Which count a guard has to reduce.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket(u32);

const LATE: Ticket = Ticket(u32::MAX);

impl Counter {
    /// `shards` is a power of two.
    pub(super) fn new(shards: usize) -> Counter {
        debug_assert!(shards.is_power_of_two());
        Counter {
            shards: (0..shards).map(|_| Padded(AtomicUsize::new(0))).collect(),
            late: Padded(AtomicUsize::new(0)),
            waiter: Mutex::new(None),
        }
    }

    /// Enters, unless the counter is closed. `thread` selects the shard.
    #[inline]
    pub(super) fn enter(&self, thread: usize) -> Option<Ticket> {
        let index = thread & (self.shards.len() - 1);
        let before = self.shards[index].0.fetch_add(1, Ordering::AcqRel);
        if before & CLOSED == 0 {
            #[expect(clippy::cast_possible_truncation, reason = "there are at most 128 shards")]
            return Some(Ticket(index as u32));
        }
        self.leave_shard(index);
        None
    }

    /// Enters even when the counter is closed.
    pub(super) fn enter_anyway(&self, thread: usize) -> Ticket {
        self.enter(thread).unwrap_or_else(|| {
            self.late.0.fetch_add(1, Ordering::AcqRel);
            LATE
        })
    }

    #[inline]
    pub(super) fn leave(&self, ticket: Ticket) {
        match usize::try_from(ticket.0) {
            Ok(index) if index < self.shards.len() => self.leave_shard(index),
            _ => {
                if self.late.0.fetch_sub(1, Ordering::AcqRel) == 1 {
                    self.wake();
                }
            }
        }
    }

    #[inline]
    fn leave_shard(&self, index: usize) {
        // Only the last of a closed shard can be the last of all.
        if self.shards[index].0.fetch_sub(1, Ordering::AcqRel) == CLOSED | 1 {
            self.wake();
        }
    }

    /// From now on nobody [enters](Counter::enter). Closing twice is the same as once.
    pub(super) fn close(&self) {
        for shard in &self.shards {
            shard.0.fetch_or(CLOSED, Ordering::AcqRel);
        }
    }

    /// How many are in flight: exact when nobody enters or leaves meanwhile.
    pub(super) fn len(&self) -> usize {
        let shards = self.shards.iter().map(|shard| shard.0.load(Ordering::Acquire) & !CLOSED);
        // The late ones last: see the type.
        let sum: usize = shards.sum();
        sum + self.late.0.load(Ordering::Acquire)
    }

    /// Whether nobody is left; if somebody is, the last one wakes `waker`. Only for a closed counter.
    pub(super) fn poll_drained(&self, waker: &Waker) -> bool {
        if self.len() == 0 {
            return true;
        }
        let old = lock(&self.waiter).replace(waker.clone());
        drop(old);
        // Again, for the last one may have left before it could find the waker.
        self.len() == 0
    }

    #[cold]
    fn wake(&self) {
        let waiter = lock(&self.waiter).take();
        if let Some(waker) = waiter {
            waker.wake();
        }
    }
}

#[cfg(all(test, underpin_loom))]
mod models {
    //! Interleavings of up to three threads with at most three preemptions, which is where such bugs show: `cargo xtask loom`.

    use std::task::{Context, Poll};

    use loom::{
        future::block_on,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        thread,
    };

    use super::Counter;

    fn model(check: impl Fn() + Send + Sync + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(check);
    }

    async fn drained(counter: &Counter) {
        std::future::poll_fn(|cx: &mut Context<'_>| match counter.poll_drained(cx.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    #[test]
    fn whoever_was_admitted_is_waited_for() {
        model(|| {
            let counter = Arc::new(Counter::new(2));
            let working = Arc::new(AtomicUsize::new(0));
            let workers: Vec<_> = (0..2)
                .map(|thread| {
                    let (counter, working) = (counter.clone(), working.clone());
                    thread::spawn(move || {
                        if let Some(ticket) = counter.enter(thread) {
                            working.fetch_add(1, Ordering::Relaxed);
                            working.fetch_sub(1, Ordering::Relaxed);
                            counter.leave(ticket);
                            return true;
                        }
                        false
                    })
                })
                .collect();
            counter.close();
            // Loom reports a deadlock if the last one fails to wake us.
            block_on(drained(&counter));
            assert_eq!(working.load(Ordering::Relaxed), 0);
            assert!(counter.enter(0).is_none());
            for worker in workers {
                worker.join().unwrap();
            }
            assert_eq!(counter.len(), 0);
        });
    }

    #[test]
    fn work_that_is_handed_over_is_waited_for() {
        model(|| {
            let counter = Arc::new(Counter::new(2));
            let working = Arc::new(AtomicUsize::new(1));
            let request = counter.enter(1).expect("it is open");
            let worker = {
                let (counter, working) = (counter.clone(), working.clone());
                thread::spawn(move || {
                    // An upgraded connection: its task is counted before the request ends.
                    let task = counter.enter_anyway(0);
                    counter.leave(request);
                    working.store(0, Ordering::Relaxed);
                    counter.leave(task);
                })
            };
            counter.close();
            block_on(drained(&counter));
            assert_eq!(working.load(Ordering::Relaxed), 0);
            worker.join().unwrap();
        });
    }

    #[test]
    fn nobody_enters_once_closing_is_over() {
        model(|| {
            let counter = Arc::new(Counter::new(1));
            let closed = Arc::new(AtomicUsize::new(0));
            let worker = {
                let (counter, closed) = (counter.clone(), closed.clone());
                thread::spawn(move || {
                    let was_closed = closed.load(Ordering::Acquire) == 1;
                    let ticket = counter.enter(0);
                    assert!(!was_closed || ticket.is_none());
                    ticket.into_iter().for_each(|ticket| counter.leave(ticket));
                })
            };
            counter.close();
            closed.store(1, Ordering::Release);
            worker.join().unwrap();
        });
    }
}
