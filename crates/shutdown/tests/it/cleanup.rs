//! What is closed, in which order, and what happens when it does not want to.

use std::{sync::mpsc, time::Duration};

use tokio::{runtime::Builder, time::Instant};
use underpin_shutdown::{CleanupOutcome, Phase, Plan, Reason, Report, Shutdown};

use crate::virtual_time::{Story, pass, run, secs};

pub(crate) fn asked() -> Reason {
    Reason::Requested("the test".into())
}

pub(crate) async fn complete(shutdown: Shutdown) -> Report {
    shutdown.trigger(asked());
    shutdown.complete().await
}

pub(crate) fn outcome<'a>(report: &'a Report, name: &str) -> &'a CleanupOutcome {
    let cleanup = report.cleanups().iter().find(|cleanup| cleanup.name() == name);
    cleanup.unwrap_or_else(|| panic!("no {name} in\n{report}")).outcome()
}

pub(crate) fn panics(message: &'static str) -> impl Future<Output = ()> {
    std::future::poll_fn(move |_| panic!("{message}"))
}

/// Comes back to the registry while it is dropped.
pub(crate) struct Reenters(pub(crate) Shutdown);

impl Drop for Reenters {
    fn drop(&mut self) {
        self.0.defer("from a destructor", |_| async {});
    }
}

#[test]
fn last_registered_runs_first() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let story = Story::default();
        for name in ["telemetry", "redis", "database"] {
            let story = story.clone();
            shutdown.defer(name, move |cx| async move {
                assert_eq!(*cx.reason(), asked());
                story.tell(name);
            });
        }
        let report = complete(shutdown).await;
        assert_eq!(story.told(), ["database", "redis", "telemetry"]);
        assert_eq!(report.cleanups()[2].name(), "telemetry");
        assert_eq!(report.exit_code(), 0);
    });
}

/// The document registers HTTP first and telemetry last, which, reversed, would close telemetry first.
#[test]
fn documented_registration_order_runs_http_first() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let story = Story::default();
        for name in ["http", "grpc", "workers"] {
            let tracker = shutdown.tracker(name);
            let (story, at) = (story.clone(), shutdown.at(Phase::Draining));
            drop(tracker.spawn(name, async move {
                at.await;
                pass(secs(1)).await;
                story.tell(format!("{name} drained"));
            }));
        }
        for name in ["telemetry", "redis", "database"] {
            let story = story.clone();
            shutdown.defer(name, move |_| async move { story.tell(name) });
        }
        complete(shutdown).await;
        assert_eq!(
            story.told(),
            ["http drained", "grpc drained", "workers drained", "database", "redis", "telemetry"]
        );
    });
}

#[test]
fn failure_and_panic_are_reported_and_the_next_runs() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let story = Story::default();
        let told = story.clone();
        shutdown.defer("last", move |_| async move { told.tell("last") });
        shutdown.defer("panics early", |_| -> std::future::Ready<()> { panic!("no future") });
        shutdown.defer("panics", |_| panics("boom"));
        shutdown.defer("fails", |_| async { Err::<(), _>("no route to host") });
        let report = complete(shutdown).await;
        assert_eq!(*outcome(&report, "fails"), CleanupOutcome::Failed("no route to host".into()));
        assert_eq!(*outcome(&report, "panics"), CleanupOutcome::Panicked("boom".into()));
        assert_eq!(*outcome(&report, "panics early"), CleanupOutcome::Panicked("no future".into()));
        assert_eq!(story.told(), ["last"]);
        assert_eq!(report.exit_code(), 1);
    });
}

#[test]
fn one_that_hangs_is_dropped_at_its_budget_and_the_next_runs() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let (begin, story) = (Instant::now(), Story::default());
        let told = story.clone();
        shutdown.defer("telemetry", move |cx| async move {
            told.tell(format!("{:?} left at {:?}", cx.remaining(), begin.elapsed()));
        });
        let hangs = shutdown.defer("hangs", |_| std::future::pending::<()>());
        let _ = hangs.budget(secs(2));
        let report = complete(shutdown).await;
        assert_eq!(*outcome(&report, "hangs"), CleanupOutcome::TimedOut);
        assert_eq!(story.told(), ["22.75s left at 2s"]);
        assert_eq!(report.exit_code(), 1);
    });
}

#[test]
fn without_budgets_the_time_is_shared_so_that_each_has_some() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let begin = Instant::now();
        for name in ["a", "b", "c", "d"] {
            shutdown.defer(name, |_| std::future::pending::<()>());
        }
        let report = complete(shutdown).await;
        for cleanup in report.cleanups() {
            assert_eq!(cleanup.outcome(), &CleanupOutcome::TimedOut, "{report}");
            assert!(cleanup.used() >= Duration::from_millis(6_187), "{report}");
        }
        assert!(begin.elapsed() < secs(25), "{report}");
    });
}

#[test]
fn reserve_is_there_however_long_the_drain_takes() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let stuck = shutdown.tracker("http").track();
        shutdown.defer("database", |cx| async move {
            assert_eq!(cx.remaining(), secs(5));
            pass(Duration::from_millis(4_999)).await;
        });
        let report = complete(shutdown).await;
        assert_eq!(*outcome(&report, "database"), CleanupOutcome::Ok);
        assert!(report.used() < report.budget());
        drop(stuck);
    });
}

#[test]
fn one_without_time_left_is_skipped() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        shutdown.defer("telemetry", |_| async {});
        let _ = shutdown.defer("hangs", |_| std::future::pending::<()>()).budget(Duration::MAX);
        let report = complete(shutdown).await;
        assert_eq!(
            *outcome(&report, "telemetry"),
            CleanupOutcome::Skipped("no time was left".into())
        );
        assert!(report.used() < report.budget());
    });
}

#[test]
fn members_of_a_group_stop_at_the_same_time() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let begin = Instant::now();
        let group = shutdown.defer_together();
        shutdown.defer("after the group", |_| pass(secs(1)));
        for name in ["postgres", "redis", "kafka"] {
            group.defer(name, |_| pass(secs(2)));
        }
        let _ = group.defer("hangs", |_| std::future::pending::<()>()).budget(secs(3));
        let report = complete(shutdown).await;
        assert_eq!(begin.elapsed(), secs(4));
        assert_eq!(report.cleanups()[0].name(), "after the group");
        assert_eq!(*outcome(&report, "redis"), CleanupOutcome::Ok);
        assert_eq!(*outcome(&report, "hangs"), CleanupOutcome::TimedOut);
    });
}

#[test]
fn one_that_requires_what_did_not_end_is_skipped() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let (stuck, _drained) = (shutdown.tracker("http").track(), shutdown.tracker("jobs"));
        let requires = |name: &'static str, required: &'static str| {
            let _ = shutdown.defer(name, |_| async {}).requires(required);
        };
        shutdown.defer("later", |_| async {});
        requires("needs the later", "later");
        requires("needs the failed", "fails");
        requires("needs the good", "good");
        shutdown.defer("good", |_| async {});
        shutdown.defer("fails", |_| async { Err::<(), _>("x") });
        requires("needs http", "http");
        requires("needs jobs", "jobs");
        requires("needs nothing", "nothing");
        let report = complete(shutdown.clone()).await;
        let skipped = |text: &str| CleanupOutcome::Skipped(text.to_owned().into());
        for (name, expected) in [
            ("needs http", skipped("requires http, which has 1 in flight")),
            ("needs jobs", CleanupOutcome::Ok),
            ("needs nothing", skipped("requires nothing, which does not exist")),
            ("needs the failed", skipped("requires fails, which failed: x")),
            ("needs the good", CleanupOutcome::Ok),
            (
                "needs the later",
                skipped("requires later, which was registered earlier and runs later"),
            ),
        ] {
            assert_eq!(*outcome(&report, name), expected);
        }
        drop(stuck);
    });
}

#[test]
fn one_that_requires_main_is_skipped_when_main_was_cut_off() {
    run(async {
        for ends in [true, false] {
            let shutdown = Shutdown::new(Plan::new());
            let _ = shutdown.defer("database", |_| async {}).requires("main");
            shutdown.trigger(asked());
            let at = shutdown.at(Phase::Draining);
            let main = async move {
                at.await;
                if !ends {
                    std::future::pending::<()>().await;
                }
            };
            let (_, report) = shutdown.run(main).await;
            assert_eq!(outcome(&report, "database").is_ok(), ends, "{report}");
        }
    });
}

#[test]
fn one_registered_by_a_cleanup_runs_next() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let story = Story::default();
        let (first, second) = (story.clone(), story.clone());
        shutdown.defer("telemetry", move |_| async move { first.tell("telemetry") });
        let handle = shutdown.clone();
        shutdown.defer("database", move |_| async move {
            handle.defer("late connection", move |_| async move { second.tell("late connection") });
            // Another trigger from here changes nothing.
            assert!(!handle.trigger(Reason::Signal(2)));
        });
        complete(shutdown).await;
        assert_eq!(story.told(), ["late connection", "telemetry"]);
    });
}

#[test]
fn one_that_spawns_tracked_tasks_leaves_nothing_behind() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let jobs = shutdown.tracker("jobs");
        shutdown.defer("database", |_| async move {
            // More than the runtime polls before it looks at the sequence again.
            for _ in 0..200 {
                drop(jobs.spawn("too late", std::future::pending::<()>()));
            }
        });
        let report = complete(shutdown).await;
        assert_eq!(report.exit_code(), 0, "{report}");
    });
}

#[test]
fn one_registered_after_the_end_is_dropped_and_counted() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let report = complete(shutdown.clone()).await;
        assert_eq!((report.late_cleanups(), report.exit_code()), (0, 0));
        shutdown.defer("late", |_| panics("it ran"));
        assert_eq!((report.late_cleanups(), report.exit_code()), (1, 1));
    });
}

#[test]
fn disarmed_one_does_not_run() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let reenters = Reenters(shutdown.clone());
        let disarmed = shutdown.defer("disarmed", |_| async move { drop(reenters) });
        disarmed.disarm();
        let report = complete(shutdown).await;
        assert_eq!(report.cleanups().len(), 1);
        assert_eq!(report.cleanups()[0].name(), "from a destructor");
    });
}

#[test]
fn one_that_awaits_its_own_shutdown_fails_instead_of_waiting() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let begin = Instant::now();
        let (completes, waits) = (shutdown.clone(), shutdown.clone());
        shutdown.defer("completes", |_| async move { drop(completes.complete().await) });
        shutdown.defer("waits", |_| async move { waits.at(Phase::Done).unit().await });
        let report = complete(shutdown).await;
        for name in ["completes", "waits"] {
            let message = outcome(&report, name).to_string();
            assert!(message.contains("cannot wait for the end of its own shutdown"), "{message}");
        }
        assert_eq!(begin.elapsed(), secs(0));
    });
}

#[test]
fn one_may_wait_for_another_shutdown() {
    run(async {
        let (outer, inner) = (Shutdown::new(Plan::new()), Shutdown::new(Plan::new()));
        outer.defer("inner", |_| async move { drop(complete(inner).await) });
        assert_eq!(complete(outer).await.exit_code(), 0);
    });
}

#[test]
fn one_that_blocks_its_thread_does_not_stop_the_sequence() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let (release, blocked) = mpsc::channel::<()>();
    let report = runtime.block_on(async {
        let shutdown = Shutdown::new(Plan::new());
        shutdown.defer("database", |_| async {});
        let blocks = shutdown.defer("blocks", move |_| async move {
            // Ends when the test does.
            let _ = blocked.recv();
        });
        let _ = blocks.budget(Duration::from_millis(20));
        complete(shutdown).await
    });
    drop(release);
    assert_eq!(*outcome(&report, "blocks"), CleanupOutcome::Blocked);
    assert_eq!(*outcome(&report, "database"), CleanupOutcome::Ok);
}

#[test]
fn dropping_without_completing_runs_nothing() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        shutdown.defer("database", |_| panics("it ran"));
        shutdown.trigger(asked());
        drop(shutdown);
        pass(secs(60)).await;
    });
}
