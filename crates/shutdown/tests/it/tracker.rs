//! Admission, and what is in flight.

use std::{mem, thread};

use tokio::time::Instant;
use underpin_shutdown::{Phase, Plan, Reason, Report, Shutdown, TrackerReport};

use crate::virtual_time::{Story, pass, run, secs};

fn asked() -> Reason {
    Reason::Requested("the test".into())
}

fn row<'a>(report: &'a Report, name: &str) -> &'a TrackerReport {
    report.trackers().iter().find(|tracker| tracker.name() == name).expect("a row")
}

#[test]
fn admits_until_draining() {
    run(async {
        let shutdown = Shutdown::new(Plan::kubernetes());
        let http = shutdown.tracker("http");
        let running = http.admit().expect("running");
        shutdown.trigger(asked());
        let lame_duck = http.admit().expect("a lame duck takes everything");
        assert_eq!(http.len(), 2);
        tokio::spawn(shutdown.clone().complete());
        shutdown.at(Phase::Draining).await;
        let refused = http.admit().expect_err("draining");
        assert_eq!(refused.to_string(), "the service is stopping: send this to another instance");
        assert!(http.run(async { panic!("it was polled") }).await.is_err());
        drop((running, lame_duck));
        assert!(http.is_empty());
    });
}

#[test]
fn drain_waits_for_the_last_one_and_no_longer() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let begin = Instant::now();
        for (tracker, time) in [("http", 3), ("jobs", 7), ("http", 1)] {
            let guard = shutdown.tracker(tracker).admit().expect("running");
            tokio::spawn(async move {
                pass(secs(time)).await;
                drop(guard);
            });
        }
        shutdown.trigger(asked());
        let report = shutdown.complete().await;
        assert_eq!(begin.elapsed(), secs(7));
        assert_eq!(row(&report, "http").at_trigger(), 2);
        assert_eq!(report.exit_code(), 0, "{report}");
    });
}

#[test]
fn work_handed_over_while_draining_is_waited_for() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let begin = Instant::now();
        let http = shutdown.tracker("http");
        let request = http.admit().expect("running");
        tokio::spawn(async move {
            pass(secs(2)).await;
            // As an upgraded connection does.
            let task = http.track();
            drop(request);
            pass(secs(2)).await;
            drop(task);
        });
        shutdown.trigger(asked());
        let report = shutdown.complete().await;
        assert_eq!(begin.elapsed(), secs(4));
        assert_eq!(report.exit_code(), 0);
    });
}

#[test]
fn guards_may_end_on_other_threads_and_after_the_end() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let http = shutdown.tracker("http");
        let (moved, late) = (http.admit().expect("running"), http.track());
        thread::spawn(|| drop(moved)).join().unwrap();
        assert_eq!(http.len(), 1);
        shutdown.trigger(asked());
        let report = shutdown.complete().await;
        assert_eq!(row(&report, "http").abandoned(), 1);
        drop(late);
        assert_eq!(http.len(), 0);
    });
}

#[test]
fn forgotten_guard_is_reported_as_left_behind() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        #[expect(clippy::mem_forget, reason = "it is what is tested")]
        mem::forget(shutdown.tracker("http").track());
        shutdown.trigger(asked());
        let report = shutdown.complete().await;
        assert_eq!(row(&report, "http").abandoned(), 1);
        assert_eq!(report.used().as_millis(), 19_750);
        assert_eq!(report.exit_code(), 1);
    });
}

#[test]
fn tasks_are_cancelled_when_the_drain_is_over_and_named_when_they_stay() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let story = Story::default();
        let jobs = shutdown.tracker("jobs");
        let quick = jobs.spawn("quick", async { 7 });
        let endless =
            jobs.spawn("endless", Told(story.clone(), std::future::pending::<()>()).wait());
        // A guard that outlives its task: work that does not listen.
        let stuck = jobs.track();
        shutdown.trigger(asked());
        let report = shutdown.complete().await;
        assert_eq!(quick.await.unwrap(), Some(7));
        assert_eq!(endless.await.unwrap(), None);
        assert_eq!(story.told(), ["dropped"]);
        let row = row(&report, "jobs");
        assert_eq!((row.cancelled(), row.abandoned()), (1, 1));
        assert!(row.tasks().is_empty());
        drop(stuck);
    });
}

struct Told<F>(Story, F);

impl<F: Future> Told<F> {
    async fn wait(self) {
        struct Tell(Story);
        impl Drop for Tell {
            fn drop(&mut self) {
                self.0.tell("dropped");
            }
        }
        let _tell = Tell(self.0);
        self.1.await;
    }
}

#[test]
fn panic_of_a_task_ends_the_task_alone() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let jobs = shutdown.tracker("jobs");
        let task = jobs.spawn("fragile", async { panic!("boom") });
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!((jobs.len(), shutdown.phase()), (0, Phase::Running));
    });
}

#[test]
fn tracker_made_while_draining_admits_nobody() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        shutdown.trigger(asked());
        assert!(shutdown.tracker("new").admit().is_err());
    });
}

#[test]
fn same_name_is_the_same_tracker() {
    let shutdown = Shutdown::new(Plan::new());
    let guard = shutdown.tracker("http").track();
    assert_eq!(shutdown.tracker("http").len(), 1);
    assert_eq!(shutdown.tracker("http").name(), "http");
    assert_eq!(shutdown.tracker("grpc").len(), 0);
    drop(guard);
}

#[test]
fn threads_that_come_and_go_lose_no_count() {
    let shutdown = Shutdown::new(Plan::new());
    let http = shutdown.tracker("http");
    let kept: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..1000).for_each(|_| drop(http.admit()));
                    http.track()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(http.len(), 8);
    drop(kept);
    assert_eq!(http.len(), 0);
}
