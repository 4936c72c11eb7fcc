//! What opens a breaker, and what does not.

use underpin_breaker::{Breaker, Outcome, Recorded, State, Trip};

use crate::{Bench, millis, secs};

#[test]
fn five_failures_in_a_row_open_it() {
    let bench = Bench::new(Breaker::new("payments"));
    for _ in 0..4 {
        assert_eq!(bench.fail(), Some(Recorded::Counted));
    }
    assert_eq!(bench.breaker.state(), State::Closed);
    assert_eq!(bench.fail(), Some(Recorded::Tripped));
    assert_eq!(bench.breaker.state(), State::Open);
}

#[test]
fn success_begins_the_count_anew() {
    let bench = Bench::new(Breaker::new("payments"));
    for _ in 0..100 {
        for _ in 0..4 {
            bench.fail();
        }
        bench.succeed();
    }
    assert_eq!(bench.breaker.state(), State::Closed);
}

#[test]
fn ignored_results_neither_count_nor_begin_anew() {
    let bench = Bench::new(Breaker::new("payments"));
    for _ in 0..4 {
        bench.fail();
        assert_eq!(bench.call(Outcome::Ignore), Some(Recorded::Ignored));
    }
    assert_eq!(bench.fail(), Some(Recorded::Tripped));
}

#[test]
fn window_slides() {
    let trip = Trip::rate(0.5).last(10).min_calls(10);
    let bench = Bench::new(Breaker::builder("rate").trip(trip).build());
    for _ in 0..1000 {
        bench.succeed();
    }
    // However long it went well before: half of the last ten is half of the last ten.
    for _ in 0..4 {
        assert_eq!(bench.fail(), Some(Recorded::Counted));
    }
    assert_eq!(bench.fail(), Some(Recorded::Tripped));
}

#[test]
fn rate_waits_for_enough_calls() {
    let trip = Trip::rate(0.5).last(20).min_calls(10);
    let bench = Bench::new(Breaker::builder("rate").trip(trip).build());
    for _ in 0..9 {
        assert_eq!(bench.fail(), Some(Recorded::Counted));
    }
    assert_eq!(bench.fail(), Some(Recorded::Tripped));
}

#[test]
fn rate_that_is_met_exactly_opens_it() {
    let trip = Trip::rate(0.3).last(10).min_calls(10);
    let bench = Bench::new(Breaker::builder("rate").trip(trip).build());
    for _ in 0..7 {
        bench.succeed();
    }
    bench.fail();
    bench.fail();
    assert_eq!(bench.fail(), Some(Recorded::Tripped));
}

#[test]
fn success_never_opens_it() {
    let trip = Trip::rate(0.5).last(4).min_calls(4);
    let bench = Bench::new(Breaker::builder("rate").trip(trip).build());
    for _ in 0..3 {
        bench.fail();
    }
    // Three of four have failed by now, and it is this success that makes them four.
    assert_eq!(bench.succeed(), Some(Recorded::Counted));
    assert_eq!(bench.breaker.state(), State::Closed);
    assert_eq!(bench.fail(), Some(Recorded::Tripped));
}

#[test]
fn rules_are_joined_by_or() {
    let rules = || {
        let rate = Trip::rate(0.5).last(20).min_calls(20);
        Bench::new(Breaker::builder("both").trip(Trip::consecutive(3)).trip(rate).build())
    };
    let streak = rules();
    streak.fail();
    streak.fail();
    assert_eq!(streak.fail(), Some(Recorded::Tripped));
    let rate = rules();
    for _ in 0..9 {
        rate.succeed();
        rate.fail();
    }
    rate.succeed();
    assert_eq!(rate.fail(), Some(Recorded::Tripped));
}

#[test]
fn failures_in_a_row_open_it_however_far_apart_they_are() {
    let rate = Trip::rate(0.5).over(secs(10)).min_calls(20);
    let rules = Breaker::builder("quiet").trip(rate).trip(Trip::consecutive(5));
    let mut bench = Bench::new(rules.build());
    for _ in 0..4 {
        assert_eq!(bench.fail(), Some(Recorded::Counted));
        bench.pass(secs(3600));
    }
    assert_eq!(bench.fail(), Some(Recorded::Tripped));
}

#[test]
fn failures_in_a_row_are_in_a_row_whatever_opens_it() {
    for trip in [Trip::consecutive(5), Trip::rate(0.9), Trip::rate(0.9).over(secs(10))] {
        let bench = Bench::new(Breaker::builder("row").trip(trip).build());
        bench.fail();
        bench.fail();
        bench.succeed();
        bench.fail();
        assert_eq!(bench.breaker.snapshot().failures, 1, "{trip:?}");
    }
}

#[test]
fn slow_calls_are_failures() {
    let mut bench = Bench::new(Breaker::builder("slow").slow(secs(2)).build());
    for _ in 0..5 {
        let (begin, breaker) = (bench.now, bench.breaker.clone());
        let permit = breaker.try_acquire_at(begin).expect("it is closed");
        bench.pass(secs(2));
        permit.record_at(Outcome::Success, bench.now);
    }
    assert_eq!(bench.breaker.state(), State::Open);
}

#[test]
fn calls_just_below_slow_are_not() {
    let mut bench = Bench::new(Breaker::builder("slow").slow(secs(2)).build());
    for _ in 0..50 {
        let breaker = bench.breaker.clone();
        let permit = breaker.try_acquire_at(bench.now).expect("it is closed");
        bench.pass(millis(1999));
        permit.record_at(Outcome::Success, bench.now);
    }
    assert_eq!(bench.breaker.state(), State::Closed);
}

#[test]
fn results_of_calls_that_began_before_it_opened_have_no_say() {
    let mut bench = Bench::new(Breaker::new("payments"));
    let breaker = bench.breaker.clone();
    let early: Vec<_> =
        (0..3).map(|_| breaker.try_acquire_at(bench.now).expect("closed")).collect();
    bench.open();
    bench.pass(secs(30));
    // Half-open, one probe is out: neither closes it, nor opens it.
    let probe = breaker.try_acquire_at(bench.now).expect("a probe");
    let mut early = early.into_iter();
    let mut next = || early.next().expect("three of them");
    assert_eq!(next().record_at(Outcome::Success, bench.now), Recorded::Stale);
    assert_eq!(next().record_at(Outcome::Failure, bench.now), Recorded::Stale);
    assert_eq!(breaker.state(), State::HalfOpen);
    probe.record_at(Outcome::Success, bench.now);
    bench.succeed();
    bench.succeed();
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(next().record_at(Outcome::Failure, bench.now), Recorded::Stale);
    assert_eq!(breaker.snapshot().failures, 0);
}

#[test]
fn misuse_is_named() {
    let message = |misuse: fn()| {
        let panic = std::panic::catch_unwind(misuse).expect_err("it panics");
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).expect("a message")
    };
    assert_eq!(message(|| _ = Trip::consecutive(0)), "a breaker cannot open after 0 failures");
    assert!(message(|| _ = Trip::rate(0.0)).contains("0 is not above 0"));
    assert!(message(|| _ = Trip::rate(f64::NAN)).contains("NaN"));
    assert!(message(|| _ = Trip::rate(0.5).last(33)).contains("from 1 to 32"));
    assert!(message(|| _ = Trip::rate(0.5).last(5).min_calls(6)).contains("among the last 5"));
    assert!(message(|| _ = Trip::consecutive(1).last(5)).contains("use Trip::rate"));
    assert!(message(|| _ = Trip::consecutive(1).over(secs(5))).contains("use Trip::rate"));
    assert!(message(|| _ = Trip::rate(0.5).over(millis(99))).contains("from 100 ms to an hour"));
    assert!(message(|| _ = Trip::rate(0.5).over(secs(3601))).contains("from 100 ms to an hour"));
    assert!(message(|| _ = Breaker::builder("x").successes(0)).contains("from 1 to"));
    assert!(message(|| _ = Breaker::builder("x").concurrent_probes(0)).contains("from 1 to"));
}
