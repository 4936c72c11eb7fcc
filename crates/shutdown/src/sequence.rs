//! The phases, one after the other, on one line of time.

use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until, timeout, timeout_at},
};

use crate::{
    cleanup::{self, Cleanup, StopCx},
    events,
    phase::{Name, Phase, Reason},
    plan::Line,
    report::{CleanupOutcome, CleanupReport, MainReport, PhaseReport, Report, TrackerReport},
    shutdown::Inner,
    stopped::Stopped,
};

/// Waits for the trigger and goes through all phases, with `main` polled along.
pub(crate) async fn drive<F: Future>(
    shutdown: &Arc<Inner>,
    main: Option<F>,
    failure: fn(&F::Output) -> Option<Name>,
) -> (Option<F::Output>, Report) {
    shutdown.claim();
    let mut main = pin!(main);
    let mut main = Main::new(main.as_mut(), failure);
    let mut triggered = pin!(Stopped::new(shutdown.clone(), Phase::LameDuck));
    let reason = std::future::poll_fn(|cx| {
        if main.poll_end(cx) {
            shutdown.trigger(main.reason());
        }
        triggered.as_mut().poll(cx)
    })
    .await;
    let line = shutdown.plan.line(shutdown.begun_at());
    events::began(&reason);

    let mut clock = Clock::start(shutdown.begun_at());
    if shutdown.phase() == Phase::LameDuck {
        main.poll_until(line.lame_duck_end, |has_ended, _| has_ended).await;
        clock.ended(Phase::LameDuck, line.lame_duck_end);
    }
    enter(shutdown, Phase::Draining);
    let in_time = main.poll_until(line.drain_end, |_, cx| is_drained(shutdown, cx)).await;
    clock.ended(Phase::Draining, line.drain_end);

    for tracker in shutdown.trackers().iter() {
        tracker.at_cancel.store(tracker.len(), Ordering::Relaxed);
    }
    enter(shutdown, Phase::Cancelling);
    if !in_time {
        main.poll_until(line.cancel_end, |_, cx| is_drained(shutdown, cx)).await;
        clock.ended(Phase::Cancelling, line.cancel_end);
    }
    let (output, main) = main.finish(shutdown);

    enter(shutdown, Phase::Cleanup);
    let cleanups = clean_up(shutdown, &main, line).await;
    clock.ended(Phase::Cleanup, line.cleanup_end);

    let trackers = shutdown.trackers().iter().map(|tracker| TrackerReport::new(tracker)).collect();
    enter(shutdown, Phase::Done);
    let late_cleanups = shutdown.late_cleanups();
    let used = Instant::now().saturating_duration_since(shutdown.begun_at());
    let budget = line.deadline - shutdown.begun_at();
    let phases = clock.phases;
    let report = Report {
        reason,
        budget,
        used,
        phases,
        main,
        trackers,
        cleanups,
        late_cleanups,
        runtime_left: None,
    };
    events::done(&report);
    (output, report)
}

fn enter(shutdown: &Inner, phase: Phase) {
    shutdown.advance(phase);
    events::phase(phase);
}

fn is_drained(shutdown: &Inner, cx: &Context<'_>) -> bool {
    let trackers = shutdown.trackers().clone();
    // Every one is asked, so that the last of each wakes us.
    let busy = trackers.iter().filter(|tracker| !tracker.poll_drained(cx.waker()));
    busy.count() == 0
}

/// How long each phase took beside what it could have taken.
struct Clock {
    last: Instant,
    phases: Vec<PhaseReport>,
}

impl Clock {
    fn start(at: Instant) -> Clock {
        Clock { last: at, phases: Vec::new() }
    }

    fn ended(&mut self, phase: Phase, latest: Instant) {
        let now = Instant::now();
        let budget = latest.saturating_duration_since(self.last);
        let used = now.saturating_duration_since(self.last);
        self.phases.push(PhaseReport { phase, budget, used });
        self.last = now;
    }
}

/// The service's own future, if there is one, and how it ended.
struct Main<'a, F: Future> {
    future: Pin<&'a mut Option<F>>,
    /// What of an output is an error.
    failure: fn(&F::Output) -> Option<Name>,
    output: Option<F::Output>,
    report: MainReport,
}

impl<'a, F: Future> Main<'a, F> {
    fn new(future: Pin<&'a mut Option<F>>, failure: fn(&F::Output) -> Option<Name>) -> Main<'a, F> {
        let report = if future.is_some() { MainReport::Running } else { MainReport::None };
        Main { future, failure, output: None, report }
    }

    fn is_running(&self) -> bool {
        matches!(self.report, MainReport::Running)
    }

    /// Whether it is at its end now.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.is_running() {
            return false;
        }
        let Some(future) = self.future.as_mut().as_pin_mut() else { return false };
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(output)) => {
                let failure = (self.failure)(&output);
                self.output = Some(output);
                self.end(failure.map_or(MainReport::Returned, MainReport::Failed));
            }
            Err(payload) => self.end(MainReport::Panicked(panic_message(&*payload))),
        }
        true
    }

    /// Drops what is left of the future, which may panic as well.
    fn end(&mut self, report: MainReport) {
        self.report = report;
        let dropped = catch_unwind(AssertUnwindSafe(|| self.future.as_mut().set(None)));
        if let Err(payload) = dropped {
            self.report = MainReport::Panicked(panic_message(&*payload));
        }
    }

    fn reason(&self) -> Reason {
        match &self.report {
            MainReport::Panicked(message) => Reason::Panic(message.clone()),
            MainReport::Failed(error) => Reason::MainFailed(error.clone()),
            _ => Reason::MainReturned,
        }
    }

    /// Polls it along until it has ended and `is_over` says so, which is `true`, or until the time is up.
    ///
    /// `is_over` is told whether there was a `main` that has ended.
    async fn poll_until(
        &mut self,
        latest: Instant,
        mut is_over: impl FnMut(bool, &Context<'_>) -> bool,
    ) -> bool {
        let mut time_is_up = pin!(sleep_until(latest));
        std::future::poll_fn(|cx| {
            self.poll_end(cx);
            let has_ended = !matches!(self.report, MainReport::None | MainReport::Running);
            // Asked in any case: it notes whom to wake.
            if is_over(has_ended, cx) && !self.is_running() {
                return Poll::Ready(true);
            }
            time_is_up.as_mut().poll(cx).map(|()| false)
        })
        .await
    }

    /// Cuts it off if it has not ended by itself.
    fn finish(mut self, shutdown: &Inner) -> (Option<F::Output>, MainReport) {
        if self.is_running() {
            self.end(MainReport::Abandoned);
        }
        let interrupted = shutdown.interrupted.load(Ordering::Acquire);
        if interrupted && matches!(self.report, MainReport::Returned | MainReport::Failed(_)) {
            self.report = MainReport::Interrupted;
        }
        (self.output, self.report)
    }
}

/// Runs the cleanups, the last registered first.
async fn clean_up(shutdown: &Arc<Inner>, main: &MainReport, line: Line) -> Vec<CleanupReport> {
    // How long one that was cut off may take to be gone: 50 ms of the default budget. One that is not blocks its thread.
    let reap = shutdown.plan.exit_reserve() / 5;
    let mut reports: Vec<CleanupReport> = Vec::new();
    loop {
        let Some((members, places)) = shutdown.stack().pop_or_close() else { return reports };
        let now = Instant::now();
        let share = line.cleanup_end.saturating_duration_since(now) / places;
        let members = members.into_iter().map(|cleanup| {
            let obstacle = obstacle(shutdown, main, &reports, &cleanup);
            let deadline = line.cleanup_end.min(now + cleanup.budget.unwrap_or(share).min(DAY));
            settle(shutdown, cleanup, obstacle, deadline, reap)
        });
        let members: Vec<_> = members.map(Box::pin).collect();
        reports.extend(all(members).await);
    }
}

/// Runs one cleanup before its turn.
pub(crate) async fn settle_now(shutdown: &Arc<Inner>, cleanup: Cleanup) -> CleanupReport {
    let plan = &shutdown.plan;
    let latest = Instant::now() + cleanup.budget.unwrap_or(plan.reserved_for_cleanups()).min(DAY);
    let deadline = match shutdown.reason() {
        Some(_) => latest.min(plan.line(shutdown.begun_at()).cleanup_end),
        None => latest,
    };
    settle(shutdown, cleanup, None, deadline, plan.exit_reserve() / 5).await
}

/// Keeps a budget of `Duration::MAX` from overflowing the clock.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a cleanup must not run.
fn obstacle(
    shutdown: &Inner,
    main: &MainReport,
    reports: &[CleanupReport],
    cleanup: &Cleanup,
) -> Option<Name> {
    cleanup
        .requires
        .iter()
        .find_map(|required| {
            if let Some(report) = reports.iter().find(|report| report.name() == required) {
                let outcome = report.outcome();
                return (!outcome.is_ok()).then(|| format!("requires {required}, which {outcome}"));
            }
            if let Some(tracker) =
                shutdown.trackers().iter().find(|tracker| tracker.name == *required)
            {
                let left = tracker.len();
                return (left > 0)
                    .then(|| format!("requires {required}, which has {left} in flight"));
            }
            if required == "main" && !matches!(main, MainReport::None) {
                return (!main.has_ended()).then(|| "requires main, which was cut off".to_owned());
            }
            if shutdown.stack().contains(required) {
                return Some(format!(
                    "requires {required}, which was registered earlier and runs later"
                ));
            }
            Some(format!("requires {required}, which does not exist"))
        })
        .map(Name::from)
}

/// Runs one cleanup as a task of its own, so that neither its panic nor a thread that it blocks stops the sequence.
async fn settle(
    shutdown: &Arc<Inner>,
    cleanup: Cleanup,
    obstacle: Option<Name>,
    deadline: Instant,
    reap: Duration,
) -> CleanupReport {
    let begin = Instant::now();
    let Cleanup { name, run, .. } = cleanup;
    let outcome = if let Some(obstacle) = obstacle {
        CleanupOutcome::Skipped(obstacle)
    } else if deadline <= begin {
        CleanupOutcome::Skipped("no time was left".into())
    } else {
        events::cleanup_started(&name);
        let early = || Reason::Requested("run_now".into());
        let cx = StopCx { deadline, reason: shutdown.reason().cloned().unwrap_or_else(early) };
        let task = tokio::spawn(cleanup::marked(shutdown, async move { run(cx).await }));
        wait(Task(task), deadline, reap).await
    };
    let budget = deadline.saturating_duration_since(begin);
    let report = CleanupReport { name, outcome, budget, used: begin.elapsed() };
    events::cleanup_ended(&report);
    report
}

/// A cleanup's task, which does not run on when nobody waits for it any more.
struct Task(JoinHandle<Result<(), Name>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn wait(mut task: Task, deadline: Instant, reap: Duration) -> CleanupOutcome {
    let Ok(result) = timeout_at(deadline, &mut task.0).await else {
        task.0.abort();
        let gone = timeout(reap, &mut task.0).await;
        return if gone.is_ok() { CleanupOutcome::TimedOut } else { CleanupOutcome::Blocked };
    };
    match result {
        Ok(Ok(())) => CleanupOutcome::Ok,
        Ok(Err(error)) => CleanupOutcome::Failed(error),
        Err(error) => match error.try_into_panic() {
            Ok(payload) => CleanupOutcome::Panicked(panic_message(&*payload)),
            Err(_) => CleanupOutcome::Failed("the runtime is shutting down".into()),
        },
    }
}

/// All outputs, in order.
async fn all<F: Future + Unpin>(mut futures: Vec<F>) -> Vec<F::Output> {
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let Poll::Ready(value) = Pin::new(future).poll(cx)
            {
                *output = Some(value);
            }
        }
        if outputs.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> Name {
    match (payload.downcast_ref::<&'static str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => Name::Borrowed(text),
        (_, Some(text)) => text.clone().into(),
        _ => "something that is no text".into(),
    }
}
