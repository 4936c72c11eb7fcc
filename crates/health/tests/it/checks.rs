//! Checks: their interval, timeout and damping.

use std::{
    future::{pending, ready},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use underpin_health::{Health, Part, Probe, State, Verdict, Weight};

use crate::help::{SECOND, pass, paused, until};

fn only(health: &Health) -> Part {
    let parts = health.snapshot().parts;
    parts.into_iter().find(|part| part.kind == "check").expect("there is a check")
}

#[test]
fn the_probe_path_runs_no_code_of_the_users() {
    paused(async {
        let calls = Arc::new(AtomicUsize::new(0));
        let (of_check, of_gate) = (Arc::clone(&calls), Arc::clone(&calls));
        let health = Health::new().gate("shutdown", move || {
            of_gate.fetch_add(1, Ordering::Relaxed);
            true
        });
        let check = move || {
            of_check.fetch_add(1, Ordering::Relaxed);
            ready(Ok::<_, &str>(()))
        };
        health.check("database", check).register();
        health.run(pending());
        until(&health, |seen| seen.readiness == Verdict::Up).await;

        let before = calls.load(Ordering::Relaxed);
        for target in ["/livez", "/readyz?verbose", "/health/ready", "/health/startup"] {
            (0..100).for_each(|_| drop(health.respond_to(target)));
        }
        assert_eq!(calls.load(Ordering::Relaxed), before);
    });
}

#[test]
fn a_result_older_than_three_intervals_is_a_failure() {
    paused(async {
        let health = Health::new();
        health.check("database", || ready(Ok::<_, &str>(()))).every(10 * SECOND).register();
        let driver = health.run(pending());
        until(&health, |seen| seen.readiness == Verdict::Up).await;
        let age = only(&health).age.expect("it has run");
        // Without its driver no check runs again.
        driver.abort();
        tokio::time::advance((30 * SECOND).saturating_sub(age)).await;
        assert_eq!(only(&health).state, State::Up);
        tokio::time::advance(Duration::from_millis(1)).await;
        let part = only(&health);
        assert_eq!(part.state, State::Down);
        assert_eq!(part.reason.as_deref(), Some("no result for 30 s"));
    });
}

#[test]
fn a_panic_is_down_with_its_message_and_the_check_runs_on() {
    paused(async {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let health = Health::new();
        let check = move || {
            let run = counted.fetch_add(1, Ordering::Relaxed);
            async move { if run == 0 { panic!("no such table") } else { Ok::<_, &str>(()) } }
        };
        health.check("database", check).register();
        health.run(pending());
        let seen = until(&health, |seen| {
            seen.readiness == Verdict::Unavailable && only(&health).reason.is_some()
        })
        .await;
        assert_eq!(seen.readiness, Verdict::Unavailable);
        assert_eq!(only(&health).reason.as_deref(), Some("panicked: no such table"));
        until(&health, |seen| seen.readiness == Verdict::Up).await;
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_check_that_hangs_is_down_after_its_timeout_and_its_future_dropped() {
    struct Dropped(Arc<AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    paused(async {
        let dropped = Arc::new(AtomicBool::new(false));
        let guard = Arc::clone(&dropped);
        let health = Health::new();
        let check = move || {
            let guard = Dropped(Arc::clone(&guard));
            async move {
                let _guard = guard;
                pending::<Result<(), &str>>().await
            }
        };
        health.check("database", check).timeout(SECOND).register();
        health.run(pending());
        let begun = tokio::time::Instant::now();
        until(&health, |_| only(&health).state == State::Down).await;
        // Up to a second until the first run, and one for it.
        assert!(begun.elapsed() < 3 * SECOND, "{:?}", begun.elapsed());
        assert_eq!(only(&health).reason.as_deref(), Some("timed out after 1s"));
        assert!(dropped.load(Ordering::Relaxed));
    });
}

#[test]
fn runs_never_overlap() {
    paused(async {
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let (now, peak) = (Arc::clone(&running), Arc::clone(&most));
        let health = Health::new();
        let check = move || {
            let (now, peak) = (Arc::clone(&now), Arc::clone(&peak));
            async move {
                peak.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                pass(SECOND).await;
                now.fetch_sub(1, Ordering::Relaxed);
                Ok::<_, &str>(())
            }
        };
        health.check("slow", check).every(SECOND + SECOND / 10).timeout(5 * SECOND).register();
        health.run(pending());
        pass(60 * SECOND).await;
        assert_eq!(most.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn first_runs_are_spread_over_a_second() {
    paused(async {
        let begun = tokio::time::Instant::now();
        let times = Arc::new(std::sync::Mutex::new(Vec::new()));
        let health = Health::new();
        for i in 0..100 {
            let times = Arc::clone(&times);
            let check = move || {
                times.lock().unwrap().push(begun.elapsed());
                ready(Ok::<_, &str>(()))
            };
            health.check(format!("check {i}"), check).every(60 * SECOND).register();
        }
        health.run(pending());
        pass(2 * SECOND).await;
        let times = times.lock().unwrap();
        let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        assert_eq!(times.len(), 100);
        assert!(*last <= SECOND + Duration::from_millis(100), "{last:?}");
        assert!(last.saturating_sub(*first) > SECOND / 2, "{first:?} to {last:?}");
    });
}

#[test]
fn checks_stop_at_the_stop() {
    paused(async {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let health = Health::new();
        let check = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            ready(Ok::<_, &str>(()))
        };
        health.check("database", check).every(SECOND).register();
        health.run(pass(10 * SECOND)).await.expect("it ends");
        let before = runs.load(Ordering::Relaxed);
        assert!(before >= 5, "{before}");
        pass(60 * SECOND).await;
        assert_eq!(runs.load(Ordering::Relaxed), before);
    });
}

#[test]
fn one_failure_is_not_yet_an_outage() {
    paused(async {
        let failing = Arc::new(AtomicBool::new(false));
        let fails = Arc::clone(&failing);
        let health = Health::new();
        let check =
            move || ready(if fails.load(Ordering::Relaxed) { Err("refused") } else { Ok(()) });
        health.check("database", check).fail_after(3).recover_after(2).every(SECOND).register();
        health.run(pending());
        until(&health, |seen| seen.readiness == Verdict::Up).await;
        failing.store(true, Ordering::Relaxed);
        // Two runs at the most.
        pass(Duration::from_millis(1700)).await;
        assert_eq!(health.status(Probe::Readiness), Verdict::Up);
        assert_eq!(only(&health).reason.as_deref(), Some("refused"));
        until(&health, |seen| seen.readiness == Verdict::Unavailable).await;
        failing.store(false, Ordering::Relaxed);
        until(&health, |seen| seen.readiness == Verdict::Up).await;
    });
}

#[test]
fn startup_is_latched_for_ever() {
    paused(async {
        let failing = Arc::new(AtomicBool::new(true));
        let fails = Arc::clone(&failing);
        let health = Health::new();
        let check = move || ready(if fails.load(Ordering::Relaxed) { Err("cold") } else { Ok(()) });
        health.check("cache", check).startup().weight(Weight::Optional).every(SECOND).register();
        health.run(pending());
        pass(10 * SECOND).await;
        assert_eq!(health.status(Probe::Startup), Verdict::Starting);
        assert_eq!(health.status(Probe::Readiness), Verdict::Starting);
        failing.store(false, Ordering::Relaxed);
        until(&health, |seen| seen.startup == Verdict::Up && seen.readiness == Verdict::Up).await;
        failing.store(true, Ordering::Relaxed);
        until(&health, |seen| seen.readiness == Verdict::Degraded).await;
        assert_eq!(health.status(Probe::Startup), Verdict::Up);
    });
}

#[test]
#[should_panic(expected = "\"database\" is registered already: give each check a name of its own")]
fn a_name_is_used_once() {
    let health = Health::new();
    health.check("database", || ready(Ok::<_, &str>(()))).register();
    health.check("database", || ready(Ok::<_, &str>(()))).register();
}

#[test]
#[should_panic(expected = "\"database\" needs 4 failures among 3 runs")]
fn impossible_damping_is_refused() {
    let health = Health::new();
    health.check("database", || ready(Ok::<_, &str>(()))).fail_after(4).among(3).register();
}
