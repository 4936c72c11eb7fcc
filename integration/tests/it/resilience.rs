//! Breakers, retries and faults, together, and what is built on them against servers that misbehave.

mod httpx;

use std::{
    cell::Cell,
    collections::BTreeSet,
    time::{Duration, Instant},
};

use axum::response::IntoResponse as _;
use underpin_breaker::{Breaker, Error, Rejected, Trip};
use underpin_fault::{Fault, Kind};
use underpin_retry::{Budget, Jitter, Retry, Why};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn payments() -> Breaker {
    Breaker::builder("payments").trip(Trip::consecutive(3)).open(secs(60)).build()
}

/// As the documentation of [`Rejected`] has it.
fn circuit_open(rejected: &Rejected) -> Fault {
    let fault = Fault::new(Kind::Unavailable, "CIRCUIT_OPEN")
        .message("a service that this needs is down")
        .expose("breaker", &rejected.name);
    match rejected.retry_in {
        Some(time) => fault.retry_after(time),
        None => fault,
    }
}

#[test]
fn open_breaker_is_a_503_with_its_name_and_the_time_that_is_left() {
    let (breaker, charged) = (payments(), Cell::new(0));
    let charge = || {
        charged.set(charged.get() + 1);
        Err::<(), _>("connection refused")
    };
    let fault = loop {
        match breaker.run(charge) {
            Err(Error::Rejected(rejected)) => break circuit_open(&rejected),
            other => assert_eq!(other, Err(Error::Inner("connection refused"))),
        }
    };
    assert_eq!(charged.get(), 3, "the service behind it is not touched");
    let document = fault.problem().to_json();
    for member in [r#""code":"CIRCUIT_OPEN""#, r#""breaker":"payments""#, r#""status":503"#] {
        assert!(document.contains(member), "{document}");
    }
    let response = fault.into_response();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &60.into()));
}

#[tokio::test(start_paused = true)]
async fn rejection_is_not_tried_again_and_costs_no_budget() {
    let (breaker, charged) = (payments(), Cell::new(0));
    let budget = Budget::ratio(0.0).burst(10);
    let retry = Retry::exponential(secs(1)..=secs(10)).retries(2).budget(&budget);
    let charge = async || {
        let attempt = |_| {
            breaker.call(async {
                charged.set(charged.get() + 1);
                Err::<(), _>("connection refused")
            })
        };
        let gave_up =
            retry.run(attempt).when(|error| !error.is_rejected()).await.expect_err("down");
        (gave_up.attempts, gave_up.why)
    };
    // Three failures open it; from then on a charge is one attempt that is none, and no retry.
    assert_eq!(charge().await, (3, Why::Attempts));
    assert_eq!(budget.balance(), 8);
    for _ in 0..100 {
        assert_eq!(charge().await, (1, Why::Final));
    }
    assert_eq!((charged.get(), budget.balance()), (3, 8));
}

#[test]
fn replicas_with_delays_of_their_own_do_not_probe_together() {
    let longest = secs(60);
    let open_again = |seed: u64| {
        let retry = Retry::exponential(secs(1)..=longest).jitter(Jitter::Equal).retries(u32::MAX);
        let breaker = Breaker::builder("payments")
            .trip(Trip::consecutive(1))
            .open_with(move |nth| retry.delays(seed).nth(nth as usize).unwrap_or(longest))
            .build();
        // When it probes, after it has opened for the first, the second, ... time.
        let begin = Instant::now();
        let mut now = begin;
        let probes: Vec<Duration> = (0..8)
            .map(|_| {
                let probe = breaker.try_acquire_at(now).expect("its time has come");
                probe.record_at(underpin_breaker::Outcome::Failure, now);
                now += breaker.try_acquire_at(now).expect_err("open").retry_in.expect("a time");
                now - begin
            })
            .collect();
        probes
    };
    let replicas: Vec<_> = (0..50).map(open_again).collect();
    for nth in 0..8 {
        // To 10 ms: a tenth of a second's spread is in the first delay already.
        let at: BTreeSet<_> = replicas.iter().map(|probes| probes[nth].as_millis() / 10).collect();
        assert!(at.len() >= 25, "{} of 50 replicas probe at a time of their own", at.len());
    }
    let last: Vec<_> = replicas.iter().map(|probes| probes[7].saturating_sub(probes[6])).collect();
    assert!(last.iter().all(|time| (secs(30)..=secs(61)).contains(time)), "{last:?}");
}
