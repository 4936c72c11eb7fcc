//! A bounded number of connections, of which the oldest gives way.

use std::{
    collections::VecDeque,
    net::{Shutdown, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

pub(super) struct Crowd {
    limit: usize,
    open: Mutex<VecDeque<Arc<TcpStream>>>,
    left: Condvar,
}

/// A place among the open connections; dropping it frees it.
pub(super) struct Place {
    crowd: Arc<Crowd>,
    stream: Arc<TcpStream>,
}

impl Crowd {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, open: Mutex::default(), left: Condvar::new() }
    }

    /// Waits for a place, closing the oldest connection if there is none: its thread then has nothing left to wait for.
    pub(super) fn enter(self: &Arc<Self>, stream: &Arc<TcpStream>) -> Place {
        let mut open = self.lock();
        while open.len() >= self.limit {
            close(&open[0]);
            open = self.left.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
        open.push_back(Arc::clone(stream));
        Place { crowd: Arc::clone(self), stream: Arc::clone(stream) }
    }

    /// Closes all connections and waits until their threads are done with them.
    pub(super) fn disperse(&self) {
        let mut open = self.lock();
        while !open.is_empty() {
            open.iter().for_each(|stream| close(stream));
            open = self.left.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<TcpStream>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.lock().retain(|open| !Arc::ptr_eq(open, &self.stream));
        self.crowd.left.notify_all();
    }
}

fn close(stream: &TcpStream) {
    // It may be closed already, which is as good.
    let _ = stream.shutdown(Shutdown::Both);
}
