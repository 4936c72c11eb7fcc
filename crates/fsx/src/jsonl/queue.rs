//! What waits to be written, in batches that are a write each.

use std::{
    collections::VecDeque,
    mem,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    thread,
    time::Instant,
};

use super::{Options, Repaired, WHAT};
use crate::{
    error::{Error, ErrorKind, Result},
    ticket::{Ticket, Wait},
};

/// The most that is written at once, if a single record is not larger. A kill in the middle of a larger write tears it on most file systems.
const MAX_WRITE: usize = 1 << 20;

/// How often other threads may run before a batch is written.
const GATHER: usize = 32;

/// Between those who append and the thread that writes.
#[derive(Debug)]
pub(super) struct Queue {
    path: PathBuf,
    max_records: usize,
    max_bytes: usize,
    state: Mutex<State>,
    /// For the thread.
    work: Condvar,
    /// The thread has ended.
    ended: Arc<Ticket>,
}

/// Records that are written together, and share a fate.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) records: usize,
    pub(super) ticket: Arc<Ticket>,
}

impl Batch {
    fn add(&mut self, record: &[u8]) -> Arc<Ticket> {
        self.bytes.extend_from_slice(record);
        self.records += 1;
        Arc::clone(&self.ticket)
    }
}

type Pushed = std::result::Result<Arc<Ticket>, ErrorKind>;

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<Batch>,
    /// Including those that are being written.
    records: usize,
    bytes: usize,
    /// Nothing more is taken, and this is why.
    shut: Option<ErrorKind>,
    /// Those who wait for room.
    waiting: Vec<Waker>,
    /// A buffer that has been written, to be filled again.
    spare: Vec<u8>,
    repaired: Option<Repaired>,
}

impl Queue {
    pub(super) fn new(options: &Options) -> Queue {
        Queue {
            path: options.path.clone(),
            max_records: options.max_queued,
            max_bytes: options.max_queued_bytes,
            state: Mutex::default(),
            work: Condvar::new(),
            ended: Ticket::new(),
        }
    }

    pub(super) fn poll_push(
        &self,
        cx: &mut Context<'_>,
        record: &[u8],
    ) -> Poll<Result<Arc<Ticket>>> {
        let mut state = self.lock();
        match self.push(&mut state, record) {
            Err(ErrorKind::QueueFull) => {
                if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                    state.waiting.push(cx.waker().clone());
                }
                Poll::Pending
            }
            result => Poll::Ready(result.map_err(|kind| self.error(kind))),
        }
    }

    pub(super) fn try_push(&self, record: &[u8]) -> Result<Arc<Ticket>> {
        self.push(&mut self.lock(), record).map_err(|kind| self.error(kind))
    }

    fn push(&self, state: &mut State, record: &[u8]) -> Pushed {
        if let Some(why) = state.shut {
            return Err(why);
        }
        let fits = state.records < self.max_records && state.bytes + record.len() <= self.max_bytes;
        if !fits && state.records > 0 {
            return Err(ErrorKind::QueueFull);
        }
        state.records += 1;
        state.bytes += record.len();
        let last = state.batches.back_mut();
        if let Some(batch) = last.filter(|batch| batch.bytes.len() + record.len() <= MAX_WRITE) {
            return Ok(batch.add(record));
        }
        let mut batch = Batch { bytes: mem::take(&mut state.spare), ..Batch::default() };
        let ticket = batch.add(record);
        state.batches.push_back(batch);
        self.work.notify_one();
        Ok(ticket)
    }

    /// Lets those come who are on their way: as many as last time, unless they take their time.
    ///
    /// Whoever has just been answered is about to append again, and the first of them must not get a flush of his own while the others just miss it.
    fn gather(&self, expected: usize) {
        for _ in 0..GATHER {
            if self.lock().records >= expected {
                return;
            }
            thread::yield_now();
        }
    }

    /// All that waits; empty at the deadline, and none once nothing more will come.
    pub(super) fn take(
        &self,
        deadline: Option<Instant>,
        expected: usize,
    ) -> Option<VecDeque<Batch>> {
        let mut state = self.lock();
        loop {
            if !state.batches.is_empty() {
                drop(state);
                self.gather(expected);
                return Some(mem::take(&mut self.lock().batches));
            }
            if state.shut.is_some() {
                return None;
            }
            state = match deadline {
                None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Some(VecDeque::new());
                    }
                    self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// A batch has been dealt with, and so there is room.
    pub(super) fn settle(&self, batch: Batch, result: Result<()>) {
        let Batch { mut bytes, records, ticket } = batch;
        let waiting = {
            let mut state = self.lock();
            state.records -= records;
            state.bytes -= bytes.len();
            bytes.clear();
            // One record larger than a write is no reason to keep its memory.
            if bytes.capacity() <= MAX_WRITE {
                state.spare = bytes;
            }
            mem::take(&mut state.waiting)
        };
        ticket.complete(result);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Takes nothing more, because of this.
    pub(super) fn shut(&self, why: ErrorKind) {
        let waiting = {
            let mut state = self.lock();
            state.shut = Some(match state.shut {
                Some(ErrorKind::Poisoned) => ErrorKind::Poisoned,
                _ => why,
            });
            mem::take(&mut state.waiting)
        };
        self.work.notify_one();
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(super) fn stop(&self) {
        self.shut(ErrorKind::Closed);
    }

    pub(super) async fn close(&self) -> Result<()> {
        self.stop();
        Wait::new(Arc::clone(&self.ended)).await
    }

    /// The thread is at its end.
    pub(super) fn end(&self, result: Result<()>) {
        self.ended.complete(result);
    }

    pub(super) fn repaired(&self) -> Option<Repaired> {
        self.lock().repaired
    }

    pub(super) fn note_repair(&self, repaired: Repaired) {
        self.lock().repaired = Some(repaired);
    }

    pub(super) fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, WHAT, &self.path)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
