//! Gates, weights, bodies and codes.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use underpin_health::{Answer, Detail, Health, Probe, Verdict, Weight};

use crate::help::{SECOND, pass, paused, until};

fn ready(health: &Health) -> Answer {
    health.respond(Probe::Readiness, Detail::Status)
}

fn seen(answer: &Answer) -> (u16, &str) {
    (answer.status, &answer.body)
}

#[test]
fn ready_has_the_documents_bodies_and_codes() {
    paused(async {
        let running = Arc::new(AtomicBool::new(true));
        let open = Arc::clone(&running);
        let health = Health::new().gate("shutdown", move || open.load(Ordering::Relaxed));
        assert_eq!(seen(&ready(&health)), (503, "{\"status\":\"starting\"}"));
        health.run(pending());
        until(&health, |seen| seen.readiness == Verdict::Up).await;
        assert_eq!(seen(&ready(&health)), (200, "{\"status\":\"ready\"}"));
        running.store(false, Ordering::Relaxed);
        pass(Duration::from_millis(51)).await;
        assert_eq!(seen(&ready(&health)), (503, "{\"status\":\"shutting_down\"}"));
        assert_eq!(ready(&health).content_type, "application/json");
    });
}

#[test]
fn the_stop_is_shutting_down_for_good() {
    paused(async {
        let health = Health::new();
        health.run(pass(SECOND)).await.expect("it ends");
        assert_eq!(seen(&ready(&health)), (503, "{\"status\":\"shutting_down\"}"));
        pass(60 * SECOND).await;
        assert_eq!(health.status(Probe::Readiness), Verdict::ShuttingDown);
        assert_eq!(health.status(Probe::Startup), Verdict::Up);
    });
}

#[test]
fn only_what_is_critical_takes_a_replica_out_of_service() {
    paused(async {
        let health = Health::new();
        let critical = health.switch("disk");
        let shared = health.switch("database").weight(Weight::Shared);
        let optional = health.switch("recommendations").weight(Weight::Optional);
        health.run(pending());
        critical.up();
        shared.up();
        optional.up();
        until(&health, |seen| seen.readiness == Verdict::Up).await;
        shared.down("refused");
        assert_eq!(seen(&ready(&health)), (200, "{\"status\":\"degraded\"}"));
        shared.up();
        optional.down("slow");
        assert_eq!(health.status(Probe::Readiness), Verdict::Degraded);
        critical.down("full");
        assert_eq!(seen(&ready(&health)), (503, "{\"status\":\"unavailable\"}"));
    });
}

#[test]
fn a_gate_that_panics_is_closed() {
    paused(async {
        let health = Health::new().gate("broken", || panic!("poisoned"));
        health.run(pending());
        until(&health, |seen| seen.readiness == Verdict::ShuttingDown).await;
        assert_eq!(health.status(Probe::Liveness), Verdict::Up);
    });
}

#[test]
fn plain_answers_are_two_bytes_and_hide_everything() {
    paused(async {
        let health = Health::new();
        health.switch("database").weight(Weight::Shared).down("no route to 10.0.0.7");
        health.run(pending());
        until(&health, |seen| seen.readiness == Verdict::Degraded).await;
        for path in ["/readyz", "/readyz?verbose", "/livez?verbose=1", "/startupz"] {
            assert_eq!(health.respond_to(path).expect(path).body, "ok", "{path}");
        }
        assert_eq!(
            health.respond_to("/health/ready?verbose").expect("known").body,
            "{\"status\":\"degraded\"}"
        );
    });
}

#[test]
fn verbose_names_every_part_where_it_is_allowed() {
    paused(async {
        let health = Health::new().with_details().gate("shutdown", || true);
        health.switch("database").weight(Weight::Shared).down("say \"no\"\n");
        health.run(pending());
        until(&health, |seen| seen.readiness == Verdict::Degraded).await;
        let answer = health.respond_to("/readyz?a=b&verbose").expect("a known path");
        let json: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(json["status"], "degraded");
        let names: Vec<_> =
            json["parts"].as_array().expect("a list").iter().map(|part| &part["name"]).collect();
        assert_eq!(names, ["shutdown", "database", "runtime"]);
        assert_eq!(json["parts"][1]["reason"], "say \"no\"\n");
        assert_eq!(json["parts"][1]["weight"], "shared");
        let live = health.respond_to("/livez?verbose").expect("a known path");
        assert!(!live.body.contains("database"), "{live:?}");
    });
}

#[test]
fn other_paths_are_not_ours() {
    let health = Health::new();
    for target in ["/", "", "/health", "/readyz/", "/READYZ", "/health/ready/x", "readyz"] {
        assert_eq!(health.respond_to(target), None, "{target}");
    }
}

#[test]
fn long_reasons_are_clipped_between_characters() {
    let health = Health::new();
    health.switch("database").down("ä".repeat(1000));
    let snapshot = health.snapshot();
    assert_eq!(snapshot.parts[0].reason.as_deref(), Some(&*"ä".repeat(128)));
}

#[test]
fn no_change_is_lost_between_two_waits() {
    paused(async {
        let health = Health::new();
        let switch = health.switch("database");
        let before = health.snapshot();
        switch.up();
        let after = health.changed(&before).await;
        switch.up();
        let same = tokio::time::timeout(SECOND, health.changed(&after)).await;
        assert!(same.is_err(), "nothing changed");
    });
}

#[test]
#[should_panic(expected = "health runs already: call `run` once")]
fn a_second_run_is_refused() {
    paused(async {
        let health = Health::new();
        health.run(pending());
        health.run(pending());
    });
}
