//! How it closes again.

use std::{mem, sync::Barrier, thread};

use underpin_breaker::{Breaker, Outcome, Recorded, State, Trip};

use crate::{Bench, millis, secs};

fn half_open(breaker: Breaker) -> Bench {
    let mut bench = Bench::new(breaker);
    bench.open();
    bench.pass(secs(30));
    bench
}

#[test]
fn three_successes_close_it_one_after_the_other() {
    let bench = half_open(Breaker::new("payments"));
    assert_eq!(bench.succeed(), Some(Recorded::Counted));
    assert_eq!(bench.succeed(), Some(Recorded::Counted));
    assert_eq!(bench.breaker.state(), State::HalfOpen);
    assert_eq!(bench.succeed(), Some(Recorded::Closed));
    assert_eq!(bench.breaker.state(), State::Closed);
    assert_eq!(bench.breaker.snapshot().failures, 0);
}

#[test]
fn one_failure_opens_it_again() {
    let bench = half_open(Breaker::new("payments"));
    bench.succeed();
    bench.succeed();
    assert_eq!(bench.fail(), Some(Recorded::Tripped));
    assert_eq!(bench.breaker.state(), State::Open);
    assert!(bench.breaker.try_acquire_at(bench.now).is_err());
}

#[test]
fn one_probe_is_out_at_a_time() {
    let bench = half_open(Breaker::new("payments"));
    let probe = bench.breaker.try_acquire_at(bench.now).expect("a probe");
    let rejected = bench.breaker.try_acquire_at(bench.now).expect_err("one is out");
    assert_eq!(rejected.state, State::HalfOpen);
    probe.record_at(Outcome::Success, bench.now);
    assert!(bench.breaker.try_acquire_at(bench.now).is_ok());
}

#[test]
fn no_more_probes_are_out_than_are_needed() {
    let breaker = Breaker::builder("payments").concurrent_probes(10).build();
    let bench = half_open(breaker);
    let probes: Vec<_> =
        (0..3).map(|_| bench.breaker.try_acquire_at(bench.now).expect("a probe")).collect();
    assert!(bench.breaker.try_acquire_at(bench.now).is_err());
    drop(probes);
    assert!(bench.breaker.try_acquire_at(bench.now).is_ok());
}

#[test]
fn many_callers_at_once_make_one_probe_and_one_change() {
    for _ in 0..200 {
        let breaker = Breaker::builder("race").trip(Trip::consecutive(1)).open(millis(1)).build();
        let bench = Bench::new(breaker);
        bench.fail();
        let later = bench.now + millis(5);
        let (breaker, barrier) = (&bench.breaker, Barrier::new(8));
        let admitted: usize = thread::scope(|scope| {
            let callers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        let permits = (0..12).map(|_| breaker.try_acquire_at(later));
                        permits.filter_map(Result::ok).map(mem::forget).count()
                    })
                })
                .collect();
            callers.into_iter().map(|caller| caller.join().expect("no panic")).sum()
        });
        assert_eq!(admitted, 1);
        assert_eq!(breaker.snapshot().generation, 2);
    }
}

#[test]
fn cancelled_probe_gives_its_place_back_and_closes_nothing() {
    let bench = half_open(Breaker::new("payments"));
    for _ in 0..10 {
        drop(bench.breaker.try_acquire_at(bench.now).expect("a probe"));
        assert_eq!(bench.breaker.state(), State::HalfOpen);
    }
}

#[test]
fn ignored_probe_gives_its_place_back_and_closes_nothing() {
    let bench = half_open(Breaker::new("payments"));
    for _ in 0..10 {
        assert_eq!(bench.call(Outcome::Ignore), Some(Recorded::Ignored));
        assert_eq!(bench.breaker.state(), State::HalfOpen);
    }
}

#[test]
#[expect(clippy::mem_forget, reason = "a leaked permit is what is tested")]
fn probe_that_never_ends_loses_its_place() {
    let mut bench = half_open(Breaker::new("payments"));
    mem::forget(bench.breaker.try_acquire_at(bench.now).expect("a probe"));
    bench.pass(millis(29_999));
    assert!(bench.breaker.try_acquire_at(bench.now).is_err());
    bench.pass(millis(1));
    for _ in 0..3 {
        assert!(bench.succeed().is_some());
    }
    assert_eq!(bench.breaker.state(), State::Closed);
}

#[test]
fn probe_that_lost_its_place_has_no_say() {
    let mut bench = half_open(Breaker::builder("payments").probe_timeout(secs(1)).build());
    let breaker = bench.breaker.clone();
    let lost = breaker.try_acquire_at(bench.now).expect("a probe");
    let also_lost = {
        bench.pass(secs(1));
        breaker.try_acquire_at(bench.now).expect("in its place")
    };
    bench.pass(secs(1));
    let probe = breaker.try_acquire_at(bench.now).expect("in its place");
    assert_eq!(lost.record_at(Outcome::Failure, bench.now), Recorded::Stale);
    assert_eq!(also_lost.record_at(Outcome::Success, bench.now), Recorded::Stale);
    assert!(breaker.try_acquire_at(bench.now).is_err(), "the third is still out");
    assert_eq!(probe.record_at(Outcome::Success, bench.now), Recorded::Counted);
}

#[test]
fn probe_of_an_earlier_half_open_has_no_say_in_the_next() {
    let breaker = Breaker::builder("payments").concurrent_probes(3).build();
    let mut bench = half_open(breaker);
    let breaker = bench.breaker.clone();
    let straggler = breaker.try_acquire_at(bench.now).expect("a probe");
    bench.fail();
    bench.pass(secs(30));
    bench.succeed();
    assert_eq!(straggler.record_at(Outcome::Failure, bench.now), Recorded::Stale);
    assert_eq!(breaker.state(), State::HalfOpen);
}
