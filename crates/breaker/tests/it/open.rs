//! How long it stays open, and what it says meanwhile.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use underpin_breaker::{Breaker, Change, Outcome, Recorded, State, Trip};

use crate::{Bench, millis, secs};

#[test]
fn rejection_names_the_breaker_and_the_time_that_is_left() {
    let mut bench = Bench::new(Breaker::new("payments"));
    bench.open();
    bench.pass(secs(10));
    let rejected = bench.breaker.try_acquire_at(bench.now).expect_err("it is open");
    assert_eq!((&*rejected.name, rejected.state), ("payments", State::Open));
    assert_eq!(rejected.retry_in, Some(secs(20)));
    assert_eq!(rejected.to_string(), "circuit breaker 'payments' is open: try again in 20.000 s");
}

#[test]
fn first_call_after_its_time_makes_it_half_open_and_not_before() {
    let mut bench = Bench::new(Breaker::new("payments"));
    bench.open();
    bench.pass(millis(29_999));
    assert!(bench.breaker.try_acquire_at(bench.now).is_err());
    assert_eq!(bench.breaker.state(), State::Open);
    bench.pass(millis(1));
    assert!(bench.breaker.try_acquire_at(bench.now).is_ok_and(|permit| permit.is_probe()));
    assert_eq!(bench.breaker.state(), State::HalfOpen);
}

#[test]
fn clock_that_goes_back_only_delays() {
    let mut bench = Bench::new(Breaker::new("payments"));
    // Before the breaker was made, even.
    let long_ago = bench.now.checked_sub(secs(1)).expect("the machine runs for longer");
    bench.pass(secs(100));
    bench.open();
    assert!(bench.breaker.try_acquire_at(long_ago).is_err());
    bench.pass(secs(30));
    let breaker = bench.breaker.clone();
    let probe = breaker.try_acquire_at(bench.now).expect("a probe");
    assert_eq!(probe.record_at(Outcome::Success, long_ago), Recorded::Counted);
}

#[test]
fn backoff_counts_openings_in_a_row() {
    let open = |nth: u32| secs(10 << nth.min(3));
    let breaker =
        Breaker::builder("backoff").trip(Trip::consecutive(1)).successes(1).open_with(open);
    let mut bench = Bench::new(breaker.build());
    let mut waits = Vec::new();
    bench.fail();
    for _ in 0..4 {
        let left = bench.breaker.try_acquire_at(bench.now).expect_err("it is open").retry_in;
        let left = left.expect("a time");
        waits.push(left.as_secs());
        bench.pass(left);
        assert_eq!(bench.fail(), Some(Recorded::Tripped));
    }
    assert_eq!(waits, [10, 20, 40, 80]);
    // Closed for a moment only: it goes on. Closed for long: it begins anew.
    for (pause, expected) in [(secs(1), 80), (secs(80), 10)] {
        let left = bench.breaker.try_acquire_at(bench.now).expect_err("it is open").retry_in;
        bench.pass(left.expect("a time"));
        assert_eq!(bench.succeed(), Some(Recorded::Closed));
        bench.pass(pause);
        bench.fail();
        let left = bench.breaker.try_acquire_at(bench.now).expect_err("it is open").retry_in;
        assert_eq!(left, Some(secs(expected)));
    }
}

#[test]
fn rejections_count_for_nothing() {
    let mut bench = Bench::new(Breaker::builder("payments").successes(1).build());
    bench.open();
    for _ in 0..100 {
        assert_eq!(bench.fail(), None);
    }
    let (before, open) = (bench.breaker.snapshot(), bench.now + secs(30));
    assert_eq!((before.generation, before.failures), (1, 0));
    // They make it stay open no longer, and count for nothing in the next stay.
    bench.now = open;
    assert_eq!(bench.succeed(), Some(Recorded::Closed));
    for _ in 0..4 {
        assert_eq!(bench.fail(), Some(Recorded::Counted));
    }
}

#[test]
fn failure_may_say_for_how_long_within_bounds() {
    let told = |time: Duration| {
        let breaker = Breaker::builder("told").trip(Trip::consecutive(1)).open_at_most(secs(120));
        let bench = Bench::new(breaker.build());
        bench.call(Outcome::FailureFor(time));
        bench.breaker.try_acquire_at(bench.now).expect_err("it is open").retry_in
    };
    assert_eq!(told(secs(60)), Some(secs(60)));
    assert_eq!(told(secs(5)), Some(secs(30)), "never shorter than usual");
    assert_eq!(told(Duration::MAX), Some(secs(120)));
}

#[test]
fn open_for_ever_does_not_overflow() {
    let breaker = Breaker::builder("ever").trip(Trip::consecutive(1)).open(Duration::MAX);
    let mut bench = Bench::new(breaker.build());
    bench.fail();
    bench.pass(secs(86_400 * 365));
    assert!(bench.breaker.try_acquire_at(bench.now).is_err());
}

#[test]
fn changes_are_told_in_order_with_their_numbers() {
    let changes: Arc<Mutex<Vec<Change>>> = Arc::default();
    let told = changes.clone();
    let breaker = Breaker::builder("payments")
        .successes(1)
        .on_change(move |change| told.lock().expect("no panic").push(change.clone()));
    let mut bench = Bench::new(breaker.build());
    bench.open();
    bench.pass(secs(30));
    bench.succeed();
    let changes = changes.lock().expect("no panic");
    let seen: Vec<_> = changes
        .iter()
        .map(|change| (change.from, change.to, change.generation, change.failures))
        .collect();
    let expected = [
        (State::Closed, State::Open, 1, 5),
        (State::Open, State::HalfOpen, 2, 0),
        (State::HalfOpen, State::Closed, 3, 0),
    ];
    assert_eq!(seen, expected);
    assert!(changes.iter().all(|change| &*change.name == "payments"));
}

#[test]
fn callback_may_use_the_breaker_and_may_panic() {
    let slot: Arc<Mutex<Option<Breaker>>> = Arc::default();
    let seen = slot.clone();
    let breaker = Breaker::builder("payments").on_change(move |_| {
        let breaker = seen.lock().expect("no panic").clone().expect("it is there");
        assert!(breaker.try_acquire().is_err());
        panic!("on purpose");
    });
    let bench = Bench::new(breaker.build());
    *slot.lock().expect("no panic") = Some(bench.breaker.clone());
    bench.open();
    assert_eq!(bench.breaker.state(), State::Open);
}
