//! A bounded queue from a thread that makes things to a task or thread that takes them.

#[cfg(feature = "watch")]
use std::time::{Duration, Instant};
use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// The end of the thread that makes things. Dropping it ends the queue.
#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Shared<T>>);

/// The end that takes them. Dropping it stops the other.
#[derive(Debug)]
pub(crate) struct Receiver<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    has_changed: Condvar,
    capacity: usize,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    is_ended: bool,
    is_given_up: bool,
    waiting: Option<Waker>,
}

pub(crate) fn handoff<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let state =
        State { items: VecDeque::new(), is_ended: false, is_given_up: false, waiting: None };
    let shared =
        Arc::new(Shared { state: Mutex::new(state), has_changed: Condvar::new(), capacity });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl<T> Sender<T> {
    /// Waits for room. False: nobody takes anything any more.
    pub(crate) fn send(&self, item: T) -> bool {
        let mut state = self.room();
        if state.is_given_up {
            return false;
        }
        state.items.push_back(item);
        self.0.tell(state);
        true
    }

    /// Waits until something could be sent at once, or never can be.
    #[cfg(feature = "watch")]
    pub(crate) fn wait_for_room(&self) {
        drop(self.room());
    }

    fn room(&self) -> MutexGuard<'_, State<T>> {
        let mut state = self.0.lock();
        while state.items.len() >= self.0.capacity && !state.is_given_up {
            state = self.0.has_changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }
}

impl<T> Receiver<T> {
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.lock();
        if let Some(item) = state.items.pop_front() {
            self.0.has_changed.notify_all();
            return Poll::Ready(Some(item));
        }
        if state.is_ended {
            return Poll::Ready(None);
        }
        state.waiting = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(feature = "watch")]
impl<T> Receiver<T> {
    /// The next one, in this thread. None: there will be none, or not within this time.
    pub(crate) fn next_within(&self, within: Option<Duration>) -> Option<T> {
        let deadline = within.and_then(|within| Instant::now().checked_add(within));
        let mut state = self.0.lock();
        while state.items.is_empty() && !state.is_ended {
            state = match deadline {
                None => self.0.has_changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.checked_duration_since(Instant::now())?;
                    let waited = self.0.has_changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        let item = state.items.pop_front();
        self.0.has_changed.notify_all();
        item
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, mut state: MutexGuard<'_, State<T>>) {
        let waiting = state.waiting.take();
        drop(state);
        self.has_changed.notify_all();
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_ended = true;
        self.0.tell(state);
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_given_up = true;
        // Nothing is delivered any more, and what it holds is of no use to anybody.
        let items = std::mem::take(&mut state.items);
        self.0.tell(state);
        drop(items);
    }
}
