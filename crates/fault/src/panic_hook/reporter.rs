//! A thread that reports panics, behind a bounded queue.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
    time::Instant,
};

use super::{IS_REPORTER, Panic};

/// The most panics that wait to be reported.
const QUEUE: usize = 64;

/// The panicking threads' end of it.
#[derive(Debug)]
pub(super) struct Reporter {
    queue: SyncSender<Job>,
    state: Arc<State>,
}

#[derive(Debug)]
struct Job {
    panic: Arc<Panic>,
    done: SyncSender<()>,
}

#[derive(Debug, Default)]
struct State {
    /// The last wait was in vain, and nothing was reported since.
    is_stalled: AtomicBool,
    /// Panics that were not reported and that no report has mentioned yet.
    dropped: AtomicU64,
}

impl Reporter {
    /// Starts a thread that calls `report` with each panic and the number of those dropped before it. `report` returns
    /// whether the report is out.
    pub(super) fn spawn(
        name: &str,
        mut report: impl FnMut(&Panic, u64) -> bool + Send + 'static,
    ) -> io::Result<Reporter> {
        let (queue, jobs) = mpsc::sync_channel::<Job>(QUEUE);
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            IS_REPORTER.set(true);
            for job in jobs {
                let dropped = shared.dropped.swap(0, Ordering::Relaxed);
                let is_out =
                    catch_unwind(AssertUnwindSafe(|| report(&job.panic, dropped))).unwrap_or(false);
                if !is_out {
                    shared.dropped.fetch_add(dropped + 1, Ordering::Relaxed);
                }
                shared.is_stalled.store(false, Ordering::Relaxed);
                // The panicking thread may have gone on.
                let _ = job.done.try_send(());
            }
        })?;
        Ok(Reporter { queue, state })
    }

    /// Queues a panic, or drops it where the queue is full. Never blocks.
    pub(super) fn submit(&self, panic: &Arc<Panic>) -> Option<Receiver<()>> {
        let (done, receiver) = mpsc::sync_channel(1);
        if self.queue.try_send(Job { panic: Arc::clone(panic), done }).is_err() {
            self.state.dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(receiver)
    }

    /// Waits until the report is out, unless the reporter is known to be stuck.
    pub(super) fn wait(&self, reported: Option<Receiver<()>>, deadline: Instant) {
        let Some(reported) = reported else { return };
        if self.state.is_stalled.load(Ordering::Relaxed) {
            return;
        }
        if reported.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_err() {
            self.state.is_stalled.store(true, Ordering::Relaxed);
        }
    }
}
