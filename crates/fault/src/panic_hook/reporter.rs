//! A thread that reports panics, behind a bounded queue.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
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

/// A panic that is queued.
#[derive(Debug)]
pub(super) struct Pending {
    reported: Receiver<()>,
    finished_before: u64,
}

#[derive(Debug)]
struct State {
    /// Panics that the thread is done with.
    finished: AtomicU64,
    /// What [`finished`](State::finished) was when a panic was queued that was then waited for in vain. As long as both are the
    /// same, the thread is stuck.
    stuck_at: AtomicU64,
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
        let state = Arc::new(State {
            finished: AtomicU64::new(0),
            stuck_at: AtomicU64::new(u64::MAX),
            dropped: AtomicU64::new(0),
        });
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
                shared.finished.fetch_add(1, Ordering::Relaxed);
                // The panicking thread may have gone on.
                let _ = job.done.try_send(());
            }
        })?;
        Ok(Reporter { queue, state })
    }

    /// Queues a panic, or drops it where the queue is full. Never blocks.
    pub(super) fn submit(&self, panic: &Arc<Panic>) -> Option<Pending> {
        let finished_before = self.state.finished.load(Ordering::Relaxed);
        let (done, reported) = mpsc::sync_channel(1);
        if self.queue.try_send(Job { panic: Arc::clone(panic), done }).is_err() {
            self.state.dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(Pending { reported, finished_before })
    }

    /// Waits until the report is out, unless the reporter is known to be stuck.
    pub(super) fn wait(&self, pending: Option<Pending>, deadline: Instant) {
        let Some(Pending { reported, finished_before }) = pending else { return };
        let finished = self.state.finished.load(Ordering::Relaxed);
        if self.state.stuck_at.load(Ordering::Relaxed) == finished {
            return;
        }
        if reported.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_err() {
            // The count of before: what got through since shows that the thread is slow, not stuck.
            self.state.stuck_at.store(finished_before, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Waits for a report that never comes. Says whether it did wait.
    fn waits(reporter: &Reporter, finished_before: u64) -> bool {
        let (_silent, never) = mpsc::sync_channel(1);
        let deadline = Instant::now() + Duration::from_millis(20);
        reporter.wait(Some(Pending { reported: never, finished_before }), deadline);
        Instant::now() >= deadline
    }

    #[test]
    fn only_the_first_waits_for_a_thread_that_is_stuck() {
        let (release, gate) = mpsc::channel::<()>();
        let reporter = Reporter::spawn("stuck", move |_, _| gate.recv().is_ok()).expect("a thread");
        let pending = reporter.submit(&Arc::new(Panic::example())).expect("the queue is empty");
        assert!(waits(&reporter, 0));
        assert!(!waits(&reporter, 0));

        release.send(()).expect("the thread waits for it");
        pending.reported.recv().expect("it is reported now");
        assert!(waits(&reporter, 1));
    }

    #[test]
    fn a_thread_that_is_slow_is_not_taken_for_stuck() {
        let reporter = Reporter::spawn("slow", |_, _| true).expect("a thread");
        let pending = reporter.submit(&Arc::new(Panic::example())).expect("the queue is empty");
        pending.reported.recv().expect("it is reported");
        // Its own wait was over just before.
        assert!(waits(&reporter, pending.finished_before));
        assert!(waits(&reporter, 1), "a report that came late cost the next one its wait");
    }
}
