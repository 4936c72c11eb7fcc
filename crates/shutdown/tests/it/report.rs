//! What the report shows.

use underpin_shutdown::{Plan, Reason, Shutdown};

use crate::virtual_time::{pass, run, secs};

#[test]
fn fits_on_a_screen() {
    run(async {
        let shutdown = Shutdown::new(Plan::kubernetes());
        let http = shutdown.tracker("http").admit();
        let stuck = shutdown.tracker("jobs").track();
        tokio::spawn(async move {
            pass(secs(7)).await;
            drop(http);
        });
        shutdown.defer("telemetry", |_| pass(secs(1)));
        shutdown.defer("postgres", |_| async { Err::<(), _>("broken\npipe") });
        shutdown.trigger(Reason::Signal(15));
        let report = shutdown.complete().await;
        assert_eq!(
            report.to_string(),
            "\
shutdown: SIGTERM; 20.750 s of 25.000 s, exit code 1
  lame duck        5.000 s of 5.000 s
  draining         13.750 s of 13.750 s
  cancelling       1.000 s of 1.000 s
  cleanup          1.000 s of 5.000 s
  http             1 in flight, drained
  jobs             1 in flight, 1 left behind
  postgres         0.000 s of 2.500 s, failed: broken pipe
  telemetry        1.000 s of 5.000 s, ok
"
        );
        drop(stuck);
    });
}

#[test]
fn a_hundred_cleanups_still_fit() {
    run(async {
        let shutdown = Shutdown::new(Plan::new());
        for number in 0..100 {
            shutdown.defer(format!("cleanup {number}"), |_| async {});
        }
        shutdown.trigger(Reason::Signal(2));
        let report = shutdown.complete().await.to_string();
        assert!(report.lines().count() <= 30, "{report}");
        assert!(report.contains("and 80 more"), "{report}");
    });
}
