//! Waiting for a phase: a future that is cheap to poll again and again.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use crate::{
    cleanup,
    phase::{Phase, Reason},
    shards::{Padded, shard_count, thread_number},
    shutdown::Inner,
};

/// Resolves when a [`Phase`] is reached, with the reason of the stop: [`Shutdown::at`](crate::Shutdown::at).
///
/// Meant to be polled beside something else, in a `select!` or by a connection, thousands of times: a poll that
/// finds nothing new is one load of a word that changes five times in the life of a process, and takes no lock. Only the first poll, a
/// poll with another waker, and the drop of a future that has waited take the lock of one of several lists.
///
/// # Cancel safety
///
/// Dropping it loses nothing: a phase that was reached stays reached.
#[must_use = "futures do nothing unless polled"]
pub struct Stopped {
    shutdown: Arc<Inner>,
    phase: Phase,
    place: Option<Place>,
}

/// Where the waker is kept, and a copy to compare with.
struct Place {
    shard: usize,
    index: usize,
    waker: Waker,
}

impl Stopped {
    pub(crate) fn new(shutdown: Arc<Inner>, phase: Phase) -> Stopped {
        Stopped { shutdown, phase, place: None }
    }

    /// The same without the reason, for those who take an `impl Future<Output = ()>`.
    pub async fn unit(self) {
        self.await;
    }

    fn leave(&mut self) {
        if let Some(place) = self.place.take() {
            self.shutdown.waiters.remove(place.shard, place.index);
        }
    }
}

impl Future for Stopped {
    type Output = Reason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reason> {
        let this = &mut *self;
        if this.shutdown.phase() < this.phase {
            if this.place.as_ref().is_some_and(|place| place.waker.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            if this.phase == Phase::Done {
                cleanup::forbid_waiting_for_itself(&this.shutdown);
            }
            this.leave();
            this.place = Some(this.shutdown.waiters.add(this.phase, cx.waker()));
            // Again, for the phase may have come before the waker was in its place.
            if this.shutdown.phase() < this.phase {
                return Poll::Pending;
            }
        }
        this.leave();
        match this.shutdown.reason() {
            Some(reason) => Poll::Ready(reason.clone()),
            // Only for `Running`, which everybody is in from the start and which has no reason.
            None => Poll::Ready(Reason::Requested("nothing".into())),
        }
    }
}

impl Clone for Stopped {
    fn clone(&self) -> Stopped {
        Stopped::new(self.shutdown.clone(), self.phase)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopped").field("phase", &self.phase).finish_non_exhaustive()
    }
}

/// Everybody who waits for a phase.
#[derive(Debug)]
pub(crate) struct Waiters {
    shards: Box<[Padded<Mutex<List>>]>,
}

/// A place is taken until its owner leaves, also after its waker was used.
#[derive(Debug, Default)]
struct List {
    places: Vec<Option<Waiting>>,
    free: Vec<usize>,
}

#[derive(Debug)]
struct Waiting {
    phase: Phase,
    waker: Option<Waker>,
}

impl Waiters {
    pub(crate) fn new() -> Waiters {
        Waiters { shards: (0..shard_count()).map(|_| Padded::default()).collect() }
    }

    fn add(&self, phase: Phase, waker: &Waker) -> Place {
        // Cloning runs code of the runtime's, so it happens outside of the lock.
        let (kept, waker) = (waker.clone(), waker.clone());
        let shard = thread_number() & (self.shards.len() - 1);
        let mut list = self.shards[shard].0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = Some(Waiting { phase, waker: Some(waker) });
        let index = list.free.pop().unwrap_or(list.places.len());
        if index == list.places.len() {
            list.places.push(waiting);
        } else {
            list.places[index] = waiting;
        }
        Place { shard, index, waker: kept }
    }

    fn remove(&self, shard: usize, index: usize) {
        let mut list = self.shards[shard].0.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = list.places[index].take();
        list.free.push(index);
        drop(list);
        drop(gone);
    }

    /// Wakes everybody who waits for `phase` or an earlier one.
    pub(crate) fn wake(&self, phase: Phase) {
        for shard in &self.shards {
            let mut list = shard.0.lock().unwrap_or_else(PoisonError::into_inner);
            let due = list.places.iter_mut().flatten().filter(|waiting| waiting.phase <= phase);
            let wakers: Vec<Waker> = due.filter_map(|waiting| waiting.waker.take()).collect();
            drop(list);
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}
