//! A result that many wait for, as futures or as threads.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use crate::error::Result;

#[derive(Debug, Default)]
pub(crate) struct Ticket(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    result: Option<Result<()>>,
    waiting: Vec<Waker>,
}

impl Ticket {
    pub(crate) fn new() -> Arc<Ticket> {
        Arc::default()
    }

    pub(crate) fn complete(&self, result: Result<()>) {
        let waiting = {
            let mut state = self.lock();
            // The first result is the true one.
            state.result.get_or_insert(result);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a ticket's result.
#[derive(Debug)]
pub(crate) struct Wait {
    ticket: Arc<Ticket>,
    /// Where its waker is.
    place: Option<usize>,
}

impl Wait {
    pub(crate) fn new(ticket: Arc<Ticket>) -> Wait {
        Wait { ticket, place: None }
    }
}

impl Future for Wait {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        let mut state = this.ticket.lock();
        if let Some(result) = &state.result {
            return Poll::Ready(result.clone());
        }
        if let Some(place) = this.place {
            state.waiting[place].clone_from(cx.waker());
        } else {
            this.place = Some(state.waiting.len());
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// Waits in this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            // It may return early; then the future is polled once more.
            Poll::Pending => thread::park(),
        }
    }
}
