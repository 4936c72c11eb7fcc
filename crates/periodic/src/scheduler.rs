//! The task that starts runs and hears of their ends.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tokio::{
    task::{Id, JoinError, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use crate::{
    events,
    outcome::IntoOutcome,
    periodic::{Manner, Overlap, Stop},
    schedule::{Ending, Shared},
    timetable::{Due, Timetable},
};

/// Why a run was started.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Tick {
    /// The first run has the number 0.
    pub number: u64,
    /// When it was due, which may be earlier than now.
    pub due: Instant,
    /// How many ticks before it were missed and are not made up for.
    pub missed: u64,
}

pub(crate) struct Scheduler<F> {
    manner: Manner,
    timetable: Timetable,
    stop: Stop,
    shared: Arc<Shared>,
    run: F,
    runs: JoinSet<End>,
    /// When each active run was started.
    active: Vec<(Id, Instant)>,
    /// A tick that waits for the end of a run.
    queued: Option<Due>,
    ending: Ending,
}

/// How a run ended, if it was not by panic.
enum End {
    Well,
    Error(String),
    TimedOut(Duration),
}

enum Event {
    Ended(Result<(Id, End), JoinError>),
    Due(Due),
    Changed,
    Stop,
}

impl<F, Fut, T> Scheduler<F>
where
    F: FnMut(Tick) -> Fut,
    Fut: Future<Output = T> + Send + 'static,
    T: IntoOutcome,
{
    pub(crate) fn new(
        manner: Manner,
        timetable: Timetable,
        stop: Stop,
        shared: Arc<Shared>,
        run: F,
    ) -> Scheduler<F> {
        Scheduler {
            manner,
            timetable,
            stop,
            shared,
            run,
            runs: JoinSet::new(),
            active: Vec::new(),
            queued: None,
            ending: Ending::No,
        }
    }

    pub(crate) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        loop {
            // Made before the wishes are read, so that none is lost in between.
            let changed = shared.changed.notified();
            let control = shared.control();
            self.ending = self.ending.max(control.ending);
            match self.ending {
                Ending::No => {}
                Ending::Gracefully if self.runs.is_empty() => return,
                Ending::Gracefully => self.queued = None,
                Ending::Now => return self.cancel().await,
            }
            if self.ending == Ending::No && shared.take_run() {
                self.tick(Due { at: Instant::now(), missed: 0 });
            }
            match self.next(changed).await {
                Event::Ended(ended) => self.ended(ended),
                Event::Due(_) if control.is_paused => {}
                Event::Due(due) => self.tick(due),
                Event::Changed => {}
                Event::Stop => self.ending = Ending::Gracefully,
            }
        }
    }

    /// Waits for whatever comes first. Ends of runs go before ticks, so that a tick at the same instant finds the place free.
    async fn next(&mut self, changed: impl Future<Output = ()>) -> Event {
        let mut changed = pin!(changed);
        let mut due = pin!(sleep_until(self.timetable.due()));
        let is_ending = self.ending != Ending::No;
        let waits_for_end = self.manner.overlap == Overlap::Delay && !self.runs.is_empty();
        poll_fn(|cx| {
            if let Poll::Ready(Some(ended)) = self.runs.poll_join_next_with_id(cx) {
                return Poll::Ready(Event::Ended(ended));
            }
            if changed.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Event::Changed);
            }
            if is_ending {
                return Poll::Pending;
            }
            if self.stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Event::Stop);
            }
            if !waits_for_end && due.as_mut().poll(cx).is_ready() {
                // None where it was only time to look at the clock again.
                return Poll::Ready(
                    self.timetable.take(Instant::now()).map_or(Event::Changed, Event::Due),
                );
            }
            Poll::Pending
        })
        .await
    }

    /// Starts a run, or does what the overlap says.
    fn tick(&mut self, due: Due) {
        if due.missed > 0 {
            self.shared.stats().missed += due.missed;
            events::missed(&self.manner.name, due.missed);
        }
        let limit = match self.manner.overlap {
            Overlap::Concurrent(limit) => limit,
            Overlap::Skip | Overlap::Delay | Overlap::Queue => 1,
        };
        if self.runs.len() < limit {
            self.start(due);
        } else if self.manner.overlap == Overlap::Queue && self.queued.is_none() {
            self.queued = Some(due);
        } else {
            self.shared.stats().skipped += 1;
            events::skipped(&self.manner.name);
        }
    }

    fn start(&mut self, due: Due) {
        let mut stats = self.shared.stats();
        let tick = Tick { number: stats.started, due: due.at, missed: due.missed };
        stats.started += 1;
        drop(stats);
        let begun = Instant::now();
        let limit = self.manner.timeout;
        // The closure runs here, before its future goes to a task of its own.
        match catch_unwind(AssertUnwindSafe(|| (self.run)(tick))) {
            Ok(future) => {
                let handle = self.runs.spawn(async move {
                    let outcome = match limit {
                        None => future.await,
                        Some(limit) => match timeout(limit, future).await {
                            Ok(outcome) => outcome,
                            Err(_) => return End::TimedOut(limit),
                        },
                    };
                    outcome.into_error().map_or(End::Well, End::Error)
                });
                self.active.push((handle.id(), begun));
            }
            Err(payload) => self.panicked(&*payload, begun),
        }
    }

    fn ended(&mut self, ended: Result<(Id, End), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let begun = match self.active.iter().position(|(active, _)| *active == id) {
            Some(index) => self.active.swap_remove(index).1,
            None => Instant::now(),
        };
        match ended {
            Ok((_, End::Well)) => self.succeeded(begun),
            Ok((_, End::Error(error))) => {
                self.shared.stats().failed += 1;
                self.unwell(&error, begun);
            }
            Ok((_, End::TimedOut(limit))) => {
                self.shared.stats().timed_out += 1;
                self.unwell(&format!("timed out after {limit:?}"), begun);
            }
            Err(error) => match error.try_into_panic() {
                Ok(payload) => self.panicked(&*payload, begun),
                // Only `cancel` and a runtime that ends abort runs.
                Err(_) => self.shared.stats().cancelled += 1,
            },
        }
        if let Some(due) = self.queued.take() {
            self.start(due);
        }
    }

    fn succeeded(&mut self, begun: Instant) {
        let duration = begun.elapsed();
        let mut stats = self.shared.stats();
        stats.succeeded += 1;
        stats.consecutive_failures = 0;
        stats.last_duration = Some(duration);
        drop(stats);
        events::completed(&self.manner.name, duration);
        self.rest(None);
    }

    fn panicked(&mut self, payload: &(dyn Any + Send), begun: Instant) {
        self.shared.stats().panicked += 1;
        // The text only: what it says was formatted when it was thrown.
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        self.unwell(&format!("panicked: {}", text.unwrap_or("Box<dyn Any>")), begun);
    }

    fn unwell(&mut self, error: &str, begun: Instant) {
        let duration = begun.elapsed();
        let mut stats = self.shared.stats();
        stats.consecutive_failures = stats.consecutive_failures.saturating_add(1);
        stats.last_duration = Some(duration);
        let failures = stats.consecutive_failures;
        drop(stats);
        events::failed(&self.manner.name, error, duration);
        self.rest(Some(failures));
    }

    /// Puts the next tick where the end of this run wants it.
    fn rest(&mut self, failures: Option<u32>) {
        let now = Instant::now();
        if self.manner.overlap == Overlap::Delay {
            self.timetable.restart(now);
        }
        if let (Some(failures), Some(backoff)) = (failures, &self.manner.backoff) {
            self.timetable.hold(now, backoff(failures));
            // A run that waited for this one to end would come before the backoff is over.
            if self.queued.take().is_some() {
                self.shared.stats().skipped += 1;
                events::skipped(&self.manner.name);
            }
        }
    }

    async fn cancel(&mut self) {
        self.queued = None;
        self.manner.backoff = None;
        self.runs.abort_all();
        while let Some(ended) = self.runs.join_next_with_id().await {
            self.ended(ended);
        }
    }
}
