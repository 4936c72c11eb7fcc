//! Triggers, phases, and those who wait for them.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
};

use tokio::time::Instant;
use underpin_shutdown::{Phase, Plan, Reason, Shutdown};

use crate::virtual_time::{Story, pass, run, secs};

fn asked() -> Reason {
    Reason::Requested("the test".into())
}

fn kubernetes() -> Plan {
    Plan::kubernetes()
}

#[test]
fn first_reason_wins() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        assert_eq!(shutdown.reason(), None);
        assert!(shutdown.trigger(Reason::Signal(15)));
        assert!(!shutdown.trigger(Reason::Signal(2)));
        assert_eq!(shutdown.reason(), Some(&Reason::Signal(15)));
        assert_eq!(*shutdown.complete().await.reason(), Reason::Signal(15));
    });
}

#[test]
fn trigger_works_from_any_thread_and_once() {
    let shutdown = Shutdown::new(Plan::new());
    let firsts: usize = thread::scope(|scope| {
        let triggers: Vec<_> = (0..8)
            .map(|number| {
                let shutdown = shutdown.clone();
                scope.spawn(move || shutdown.trigger(Reason::Signal(number)))
            })
            .collect();
        triggers.into_iter().map(|trigger| usize::from(trigger.join().unwrap())).sum()
    });
    assert_eq!(firsts, 1);
    assert!(shutdown.is_stopping());
}

#[test]
fn trigger_before_anybody_waits_is_not_lost() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        shutdown.trigger(asked());
        let report = shutdown.complete().await;
        assert_eq!(report.exit_code(), 0);
    });
}

#[test]
fn phases_come_in_order_and_on_time() {
    run(async {
        let shutdown = Shutdown::new(kubernetes());
        let story = Story::default();
        let begin = Instant::now();
        for phase in
            [Phase::LameDuck, Phase::Draining, Phase::Cancelling, Phase::Cleanup, Phase::Done]
        {
            let (at, story) = (shutdown.at(phase), story.clone());
            tokio::spawn(async move {
                let reason = at.await;
                story.tell(format!("{phase} at {}s: {reason}", begin.elapsed().as_secs()));
            });
        }
        let stuck = shutdown.tracker("jobs").track();
        pass(secs(10)).await;
        shutdown.trigger(Reason::Signal(15));
        let report = shutdown.complete().await;
        tokio::task::yield_now().await;
        assert_eq!(
            story.told(),
            [
                "lame duck at 10s: SIGTERM",
                "draining at 15s: SIGTERM",
                // 25 s of budget less 0.25 s for the exit, 5 s for cleanups and 1 s for what is cancelled.
                "cancelling at 28s: SIGTERM",
                "cleanup at 29s: SIGTERM",
                "done at 29s: SIGTERM",
            ]
        );
        drop(stuck);
        assert_eq!(report.exit_code(), 1);
    });
}

#[test]
fn nothing_in_flight_means_lame_duck_and_no_more() {
    run(async {
        let shutdown = Shutdown::new(kubernetes());
        let begin = Instant::now();
        shutdown.trigger(asked());
        assert_eq!(shutdown.phase(), Phase::LameDuck);
        let report = shutdown.complete().await;
        assert_eq!(begin.elapsed(), secs(5));
        assert_eq!(report.used(), secs(5));
    });
}

#[test]
fn clock_starts_at_the_trigger() {
    run(async {
        let shutdown = Shutdown::new(kubernetes());
        shutdown.trigger(asked());
        // Nobody drives for a while: the time counts nevertheless.
        pass(secs(4)).await;
        let begin = Instant::now();
        let report = shutdown.complete().await;
        assert_eq!(begin.elapsed(), secs(1));
        assert_eq!(report.used(), secs(5));
    });
}

#[test]
fn remaining_counts_down_the_whole_budget() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        assert_eq!(shutdown.remaining(), None);
        shutdown.trigger(asked());
        pass(secs(10)).await;
        assert_eq!(shutdown.remaining(), Some(secs(15)));
    });
}

#[test]
fn stop_during_start_up_has_no_lame_duck_and_rolls_back() {
    run(async {
        let shutdown = Shutdown::new(kubernetes());
        let (begin, story) = (Instant::now(), Story::default());
        let main = {
            let (shutdown, story) = (shutdown.clone(), story.clone());
            async move {
                shutdown
                    .startup(async {
                        for name in ["telemetry", "database"] {
                            let story = story.clone();
                            shutdown.defer(name, move |_| async move { story.tell(name) });
                        }
                        std::future::pending::<()>().await;
                    })
                    .await
            }
        };
        let trigger = shutdown.clone();
        tokio::spawn(async move {
            pass(secs(3)).await;
            trigger.trigger(Reason::Signal(15))
        });
        let (output, report) = shutdown.run(main).await;
        assert!(output.expect("main returned").is_err());
        assert_eq!(begin.elapsed(), secs(3));
        assert_eq!(story.told(), ["database", "telemetry"]);
        assert_eq!(report.exit_code(), 0, "{report}");
    });
}

#[test]
fn start_up_that_ends_gives_its_output_and_brings_the_lame_duck_back() {
    run(async {
        let shutdown = Shutdown::new(kubernetes());
        assert_eq!(shutdown.startup(async { 7 }).await, Ok(7));
        shutdown.trigger(asked());
        assert_eq!(shutdown.phase(), Phase::LameDuck);
    });
}

#[test]
fn start_up_after_the_trigger_is_not_begun() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        shutdown.trigger(asked());
        let started = shutdown.startup(async { panic!("it was polled") }).await;
        assert_eq!(started.unwrap_err().to_string(), "start-up was interrupted by a stop");
    });
}

#[test]
fn pre_stop_hook_starts_the_clock_and_waits_for_the_lame_duck() {
    run(async {
        let shutdown = Shutdown::new(kubernetes());
        let hook = tokio::spawn({
            let shutdown = shutdown.clone();
            async move {
                let begin = Instant::now();
                shutdown.pre_stop().await;
                // The kubelet sends the signal after the hook.
                assert!(!shutdown.trigger(Reason::Signal(15)));
                begin.elapsed()
            }
        });
        let report = shutdown.complete().await;
        assert_eq!(hook.await.unwrap(), secs(5));
        assert_eq!(*report.reason(), Reason::PreStop);
    });
}

#[test]
fn a_phase_that_has_passed_resolves_at_once() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        shutdown.trigger(asked());
        assert_eq!(shutdown.phase(), Phase::Draining);
        assert_eq!(shutdown.at(Phase::LameDuck).await, asked());
        assert_eq!(shutdown.at(Phase::Draining).clone().await, asked());
        shutdown.at(Phase::Running).unit().await;
    });
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Count>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn only_the_last_waker_is_woken() {
    let shutdown = Shutdown::new(Plan::new());
    let [first, last] = [(); 2].map(|()| Arc::new(Count(AtomicUsize::new(0))));
    let mut stopped = pin!(shutdown.at(Phase::Draining));
    for count in [&first, &last, &last] {
        let waker = Waker::from(count.clone());
        assert!(stopped.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    shutdown.trigger(asked());
    assert_eq!((first.0.load(Ordering::Relaxed), last.0.load(Ordering::Relaxed)), (0, 1));
    let waker = Waker::from(last);
    assert_eq!(stopped.poll(&mut Context::from_waker(&waker)), Poll::Ready(asked()));
}

#[test]
fn dropped_waiters_are_not_woken_and_their_places_are_used_again() {
    let shutdown = Shutdown::new(Plan::new());
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(count.clone());
    for _ in 0..1000 {
        let mut stopped = pin!(shutdown.at(Phase::Draining));
        assert!(stopped.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    // Each place holds a waker while it is taken; none is.
    assert_eq!(Arc::strong_count(&count), 2);
    shutdown.trigger(asked());
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
}

#[test]
#[should_panic(expected = "this shutdown is awaited already")]
fn completing_twice_is_a_mistake() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        shutdown.trigger(asked());
        shutdown.clone().complete().await;
        shutdown.complete().await;
    });
}
