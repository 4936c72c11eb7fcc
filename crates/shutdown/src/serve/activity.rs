//! What a connection is doing, as its stream and its requests see it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use super::ConnectionInfo;
use crate::shutdown::Shutdown;

/// What a connection is doing. It belongs to one connection, so that no two processors write to it at once; on HTTP/2 requests are tasks of their own.
///
/// Nothing is ordered by it: who sees an old value looks again when the connection moves, or at the latest when its time is up.
#[derive(Debug)]
pub(super) struct Activity {
    shutdown: Shutdown,
    info: Option<ConnectionInfo>,
    requests: AtomicUsize,
    has_served: AtomicBool,
    has_part: AtomicBool,
    is_stuck: AtomicBool,
    has_tunnel: AtomicBool,
    has_moved: AtomicBool,
    is_leaving: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Nothing,
    /// Some of a request has come.
    Receiving,
    /// A request is handled, or the client has not taken all of a response.
    Serving,
}

impl Activity {
    pub(super) fn new(shutdown: Shutdown, info: Option<ConnectionInfo>) -> Activity {
        Activity {
            shutdown,
            info,
            requests: AtomicUsize::new(0),
            has_served: AtomicBool::new(false),
            has_part: AtomicBool::new(false),
            is_stuck: AtomicBool::new(false),
            has_tunnel: AtomicBool::new(false),
            has_moved: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
        }
    }

    pub(super) fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// What every request is told of its connection, if anything.
    pub(super) fn info(&self) -> Option<ConnectionInfo> {
        self.info
    }

    pub(super) fn doing(&self) -> Doing {
        let is_serving = self.requests.load(Relaxed) > 0 || self.is_stuck.load(Relaxed);
        if is_serving || self.has_tunnel.load(Relaxed) {
            Doing::Serving
        } else if self.has_part.load(Relaxed) {
            Doing::Receiving
        } else {
            Doing::Nothing
        }
    }

    /// Whether there ever was a request.
    pub(super) fn has_served(&self) -> bool {
        self.has_served.load(Relaxed)
    }

    /// Whether bytes came since the last time.
    pub(super) fn take_moved(&self) -> bool {
        self.has_moved.load(Relaxed) && self.has_moved.swap(false, Relaxed)
    }

    /// Bytes came.
    pub(super) fn received(&self) {
        self.has_part.store(true, Relaxed);
        self.has_moved.store(true, Relaxed);
    }

    /// The client does not take what it is sent.
    pub(super) fn stuck(&self, is_stuck: bool) {
        self.is_stuck.store(is_stuck, Relaxed);
    }

    /// A stream of HTTP/2 became a tunnel, which nobody here sees the end of.
    pub(super) fn tunnelled(&self) {
        self.has_tunnel.store(true, Relaxed);
    }

    /// The connection is closed while it does nothing.
    pub(super) fn leave(&self) {
        self.is_leaving.store(true, Relaxed);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Relaxed)
    }
}

/// One request, from its head to the end of its response's body.
#[derive(Debug)]
pub(super) struct Exchange(Arc<Activity>);

impl Exchange {
    pub(super) fn begin(activity: &Arc<Activity>) -> Exchange {
        activity.requests.fetch_add(1, Relaxed);
        activity.has_served.store(true, Relaxed);
        Exchange(activity.clone())
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.0
    }

    /// Another part of the same request: it is over with the last of them.
    pub(super) fn part(&self) -> Exchange {
        self.0.requests.fetch_add(1, Relaxed);
        Exchange(self.0.clone())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // What came was this request.
        self.0.has_part.store(false, Relaxed);
        self.0.requests.fetch_sub(1, Relaxed);
    }
}
