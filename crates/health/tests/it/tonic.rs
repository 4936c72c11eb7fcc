//! `grpc.health.v1` as a generated client reads it, without a network between.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ::tonic::{Code, Streaming};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_client::HealthClient, health_server::HealthServer,
};
use underpin_health::{GrpcHealth, Health, Verdict};

use crate::help::{SECOND, pass, paused, until};

fn client(health: &Health) -> HealthClient<HealthServer<GrpcHealth>> {
    HealthClient::new(health.grpc(["orders.v1.Orders"]))
}

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

async fn watch(health: &Health, service: &str) -> Streaming<HealthCheckResponse> {
    client(health).watch(of(service)).await.expect("it opens").into_inner()
}

/// The next status, `None` at the end of the stream, or a panic if neither comes within a minute.
async fn next(watch: &mut Streaming<HealthCheckResponse>) -> Option<ServingStatus> {
    let next = tokio::time::timeout(60 * SECOND, watch.message()).await;
    next.expect("something comes").expect("no error").map(|answer| answer.status())
}

#[test]
fn check_answers_for_known_services_only() {
    paused(async {
        let health = Health::new();
        let mut grpc = client(&health);
        for known in ["", "orders.v1.Orders"] {
            let answer = grpc.check(of(known)).await.expect("known");
            assert_eq!(answer.get_ref().status(), ServingStatus::NotServing);
        }
        health.run(pending());
        until(&health, |seen| seen.readiness == Verdict::Up).await;
        let answer = grpc.check(of("orders.v1.Orders")).await.expect("known");
        assert_eq!(answer.get_ref().status(), ServingStatus::Serving);
        let refused = grpc.check(of("orders.v1.Other")).await.expect_err("unknown");
        assert_eq!(refused.code(), Code::NotFound);
    });
}

#[test]
fn watch_tells_changes_and_ends_at_the_stop() {
    paused(async {
        let running = Arc::new(AtomicBool::new(true));
        let open = Arc::clone(&running);
        let health = Health::new().gate("shutdown", move || open.load(Ordering::Relaxed));
        let mut watch = watch(&health, "").await;
        assert_eq!(next(&mut watch).await, Some(ServingStatus::NotServing));
        health.run(pass(30 * SECOND));
        assert_eq!(next(&mut watch).await, Some(ServingStatus::Serving));
        // The lame duck: it is told while the stream stays open. The stop itself changes no status.
        running.store(false, Ordering::Relaxed);
        assert_eq!(next(&mut watch).await, Some(ServingStatus::NotServing));
        assert_eq!(next(&mut watch).await, None);
    });
}

#[test]
fn watch_of_a_ready_service_says_not_serving_before_it_ends() {
    paused(async {
        let health = Health::new();
        let mut watch = watch(&health, "").await;
        health.run(pass(SECOND));
        assert_eq!(next(&mut watch).await, Some(ServingStatus::NotServing));
        assert_eq!(next(&mut watch).await, Some(ServingStatus::Serving));
        assert_eq!(next(&mut watch).await, Some(ServingStatus::NotServing));
        assert_eq!(next(&mut watch).await, None);
    });
}

#[test]
fn watch_of_an_unknown_service_stays_open_until_the_stop() {
    paused(async {
        let health = Health::new();
        let mut watch = watch(&health, "other").await;
        assert_eq!(next(&mut watch).await, Some(ServingStatus::ServiceUnknown));
        health.run(pass(30 * SECOND));
        let begun = tokio::time::Instant::now();
        assert_eq!(next(&mut watch).await, None);
        assert_eq!(begun.elapsed().as_secs(), 30);
    });
}
