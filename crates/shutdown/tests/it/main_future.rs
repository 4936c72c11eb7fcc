//! The main future: its end, its failure, its time.

use tokio::time::Instant;
use underpin_shutdown::{MainReport, Phase, Plan, Reason, Shutdown};

use crate::virtual_time::{Story, pass, run, secs};

#[test]
fn its_end_is_a_trigger_without_lame_duck() {
    run(async {
        let shutdown = Shutdown::new(Plan::kubernetes());
        let begin = Instant::now();
        let (output, report) = shutdown.run(async { 7 }).await;
        assert_eq!(output, Some(7));
        assert_eq!(*report.reason(), Reason::MainReturned);
        assert_eq!(begin.elapsed(), secs(0));
        assert_eq!(report.exit_code(), 0);
    });
}

#[test]
fn its_end_ends_a_lame_duck() {
    run(async {
        let shutdown = Shutdown::new(Plan::kubernetes());
        let begin = Instant::now();
        let at = shutdown.at(Phase::LameDuck);
        shutdown.trigger(Reason::Signal(15));
        let main = async move {
            at.await;
            pass(secs(2)).await;
        };
        shutdown.run(main).await;
        assert_eq!(begin.elapsed(), secs(2));
    });
}

#[test]
fn its_end_in_the_moment_of_a_signal_ends_the_lame_duck() {
    run(async {
        let shutdown = Shutdown::new(Plan::kubernetes());
        let (begin, trigger) = (Instant::now(), shutdown.clone());
        let (_, report) = shutdown.run(async move { trigger.trigger(Reason::Signal(15)) }).await;
        assert_eq!(*report.reason(), Reason::Signal(15));
        assert_eq!(begin.elapsed(), secs(0));
    });
}

#[test]
fn its_panic_is_caught_and_cleanups_run() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let story = Story::default();
        let told = story.clone();
        shutdown.defer("database", |_| async move { told.tell("closed") });
        let (output, report) = shutdown.run(async { panic!("boom") }).await;
        assert_eq!(output, None::<()>);
        assert_eq!(*report.reason(), Reason::Panic("boom".into()));
        assert_eq!(*report.main(), MainReport::Panicked("boom".into()));
        assert_eq!(story.told(), ["closed"]);
        assert_eq!(report.exit_code(), 1);
    });
}

#[test]
fn one_that_ends_with_the_drain_is_clean() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let at = shutdown.at(Phase::Draining);
        shutdown.trigger(Reason::Signal(15));
        let (_, report) = shutdown.run(at.unit()).await;
        assert_eq!(*report.main(), MainReport::Returned);
        assert_eq!(report.exit_code(), 0);
    });
}

#[test]
fn one_that_does_not_end_is_dropped_after_the_cancel_window() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        let (begin, story) = (Instant::now(), Story::default());
        shutdown.trigger(Reason::Signal(15));
        let told = story.clone();
        shutdown.defer("database", |_| async move { told.tell("closed") });
        let bomb = Tell(story.clone());
        let main = async move {
            let _bomb = bomb;
            std::future::pending::<()>().await;
        };
        let (output, report) = shutdown.run(main).await;
        assert_eq!(output, None);
        assert_eq!(*report.main(), MainReport::Abandoned);
        assert_eq!(begin.elapsed().as_millis(), 19_750);
        assert_eq!(story.told(), ["dropped", "closed"]);
        assert_eq!(report.exit_code(), 1);
    });
}

struct Tell(Story);

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.tell("dropped");
    }
}

#[test]
fn a_panic_while_it_is_dropped_is_caught() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        shutdown.trigger(Reason::Signal(15));
        let bomb = Bomb;
        let main = async move {
            let _bomb = bomb;
            std::future::pending::<()>().await;
        };
        let (_, report) = shutdown.run(main).await;
        assert_eq!(*report.main(), MainReport::Panicked("bomb".into()));
    });
}
