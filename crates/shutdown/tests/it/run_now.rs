//! A cleanup before its turn.

use std::time::Duration;

use tokio::time::{Instant, timeout};
use underpin_shutdown::{CleanupOutcome, MainReport, Phase, Plan, Shutdown};

use crate::{
    cleanup::{Reenters, asked, complete, outcome, panics},
    virtual_time::{Story, pass, run, secs},
};

#[test]
fn it_does_not_run_again_at_the_stop() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let (begin, story) = (Instant::now(), Story::default());
        let told = story.clone();
        let _ = shutdown.defer("telemetry", |_| async {}).requires("database");
        let database = shutdown.defer("database", move |cx| async move {
            pass(secs(1)).await;
            told.tell(format!("{}, {:?} left", cx.reason(), cx.remaining()));
        });
        assert_eq!(database.run_now().await, CleanupOutcome::Ok);
        assert_eq!((story.told(), begin.elapsed()), (vec!["run_now, 4s left".to_owned()], secs(1)));
        let report = complete(shutdown).await;
        assert_eq!(story.told().len(), 1);
        // What requires it has what it needs.
        assert_eq!(*outcome(&report, "telemetry"), CleanupOutcome::Ok);
        assert_eq!((report.cleanups().len(), report.exit_code()), (1, 0));
    });
}

#[test]
fn it_has_its_budget_and_its_panic_is_caught() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let begin = Instant::now();
        let _ = shutdown.defer("telemetry", |_| async {}).requires("hangs");
        let hangs = shutdown.defer("hangs", |_| std::future::pending::<()>()).budget(secs(2));
        assert_eq!(hangs.run_now().await, CleanupOutcome::TimedOut);
        assert_eq!(begin.elapsed(), secs(2));
        let panicked = shutdown.defer("panics", |_| panics("boom")).run_now().await;
        assert_eq!(panicked, CleanupOutcome::Panicked("boom".into()));
        let report = complete(shutdown).await;
        // What was not closed is still in use.
        assert!(!outcome(&report, "telemetry").is_ok(), "{report}");
    });
}

#[test]
fn it_is_cut_off_with_the_main_that_awaits_it() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let hangs = shutdown.defer("hangs", |_| std::future::pending::<()>()).budget(secs(60));
        let (begin, at) = (Instant::now(), shutdown.at(Phase::Draining));
        shutdown.trigger(asked());
        let main = async move {
            at.await;
            hangs.run_now().await
        };
        // `main` is cut off first.
        let (output, report) = shutdown.run(main).await;
        assert_eq!((output, report.main().clone()), (None, MainReport::Abandoned));
        assert_eq!(begin.elapsed(), Duration::from_millis(19_750));
    });
}

#[test]
fn it_is_dropped_with_the_future_that_awaits_it() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let reenters = Reenters(shutdown.clone());
        let hangs = shutdown.defer("hangs", |_| async move {
            let _reenters = reenters;
            std::future::pending::<()>().await;
        });
        assert!(timeout(secs(1), hangs.run_now()).await.is_err());
        pass(Duration::from_millis(1)).await;
        let report = complete(shutdown).await;
        assert_eq!(report.cleanups()[0].name(), "from a destructor");
    });
}

#[test]
fn it_is_skipped_when_its_turn_has_come() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let deferred = shutdown.defer("database", |_| async {});
        complete(shutdown).await;
        let skipped = CleanupOutcome::Skipped("its turn has come already".into());
        assert_eq!(deferred.run_now().await, skipped);
    });
}
