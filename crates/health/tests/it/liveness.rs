//! Heartbeats, the runtime's own, and fatal states.

use std::{future::pending, time::Duration};

use underpin_health::{Detail, Health, Probe, Verdict};

use crate::help::{SECOND, pass, paused, until};

fn liveness(health: &Health) -> Verdict {
    health.status(Probe::Liveness)
}

#[test]
fn a_silent_task_is_stuck_and_a_beat_revives_it() {
    paused(async {
        let health = Health::new();
        let heartbeat = health.heartbeat("consumer", 5 * SECOND);
        health.run(pending());
        pass(5 * SECOND).await;
        assert_eq!(liveness(&health), Verdict::Up);
        pass(SECOND / 10).await;
        assert_eq!(liveness(&health), Verdict::Stuck);
        assert_eq!(health.status(Probe::Readiness), Verdict::Stuck);
        assert_eq!(health.respond(Probe::Liveness, Detail::Status).status, 503);
        heartbeat.beat();
        assert_eq!(liveness(&health), Verdict::Up);
    });
}

#[test]
fn a_task_that_panics_turns_liveness_red_within_its_silence() {
    paused(async {
        let health = Health::new();
        health.run(pending());
        let heartbeat = health.heartbeat("consumer", 5 * SECOND);
        let task = tokio::spawn(async move {
            heartbeat.beat();
            panic!("a poisoned message");
        });
        assert!(task.await.is_err());
        let begun = tokio::time::Instant::now();
        until(&health, |seen| seen.liveness == Verdict::Stuck).await;
        assert!(
            begun.elapsed() <= 5 * SECOND + Duration::from_millis(100),
            "{:?}",
            begun.elapsed()
        );
    });
}

#[test]
fn a_task_that_finishes_is_not_missed() {
    paused(async {
        let health = Health::new();
        health.run(pending());
        health.heartbeat("migration", SECOND).finish();
        pass(60 * SECOND).await;
        assert_eq!(liveness(&health), Verdict::Up);
    });
}

#[test]
fn tasks_of_one_name_do_not_mask_each_other() {
    paused(async {
        let health = Health::new();
        health.run(pending());
        let (one, _other) =
            (health.heartbeat("worker", SECOND), health.heartbeat("worker", SECOND));
        for _ in 0..4 {
            pass(SECOND / 2).await;
            one.beat();
        }
        assert_eq!(liveness(&health), Verdict::Stuck);
    });
}

#[test]
fn a_restarted_task_takes_over_the_watch() {
    paused(async {
        let health = Health::new();
        health.run(pending());
        for _ in 0..3 {
            drop(health.heartbeat("worker", SECOND));
            pass(2 * SECOND).await;
            assert_eq!(liveness(&health), Verdict::Stuck);
        }
        let _worker = health.heartbeat("worker", SECOND);
        assert_eq!(liveness(&health), Verdict::Up);
        let workers = health.snapshot().parts.into_iter().filter(|part| part.name == "worker");
        assert_eq!(workers.count(), 1);
    });
}

#[test]
fn a_starved_runtime_is_stuck_though_nobody_registered_anything() {
    paused(async {
        let health = Health::new().with_max_stall(3 * SECOND);
        health.run(pending());
        until(&health, |seen| seen.readiness == Verdict::Up).await;
        // The clock moves at the first poll; nothing else gets a turn before the next lines.
        let mut advance = Box::pin(tokio::time::advance(3 * SECOND + SECOND / 10));
        std::future::poll_fn(|cx| {
            let _ = advance.as_mut().poll(cx);
            std::task::Poll::Ready(())
        })
        .await;
        assert_eq!(liveness(&health), Verdict::Stuck);
        assert_eq!(health.status(Probe::Readiness), Verdict::Stuck);
        pass(SECOND).await;
        assert_eq!(liveness(&health), Verdict::Up);
    });
}

#[test]
fn dependencies_have_no_say_in_liveness() {
    paused(async {
        let health = Health::new();
        health.switch("database").down("refused");
        let failing = || std::future::ready(Err::<(), _>("refused"));
        health.check("broker", failing).startup().register();
        health.run(pending());
        pass(60 * SECOND).await;
        assert_eq!(liveness(&health), Verdict::Up);
    });
}

#[test]
fn a_fatal_state_is_for_good() {
    paused(async {
        let health = Health::new();
        health.run(pending());
        health.fatal("supervisor", "the consumer failed 10 times");
        pass(60 * SECOND).await;
        assert_eq!(liveness(&health), Verdict::Stuck);
        let answer = health.respond(Probe::Liveness, Detail::Full);
        assert!(answer.body.contains("\"reason\":\"the consumer failed 10 times\""), "{answer:?}");
    });
}

#[test]
fn live_during_shutdown() {
    paused(async {
        let health = Health::new();
        let _silent = health.heartbeat("consumer", SECOND);
        health.run(pass(SECOND / 2)).await.expect("it ends");
        pass(90 * SECOND).await;
        let answer = health.respond(Probe::Liveness, Detail::Status);
        assert_eq!((answer.status, &*answer.body), (200, "{\"status\":\"alive\",\"uptime\":90}"));
    });
}
