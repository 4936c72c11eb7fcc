//! What an operator can do.

use underpin_breaker::{Breaker, Recorded, State};

use crate::{Bench, secs};

#[test]
fn isolation_rejects_as_long_as_one_guard_lives() {
    let mut bench = Bench::new(Breaker::new("payments"));
    let first = bench.breaker.isolate();
    let second = bench.breaker.isolate();
    drop(first);
    bench.pass(secs(3600));
    let rejected = bench.breaker.try_acquire_at(bench.now).expect_err("it is isolated");
    assert_eq!((rejected.state, rejected.retry_in), (State::Isolated, None));
    assert_eq!(rejected.to_string(), "circuit breaker 'payments' is isolated");
    drop(second);
    assert_eq!(bench.breaker.state(), State::Closed);
    assert!(bench.succeed().is_some());
}

#[test]
fn disabled_lets_all_through_and_counts_nothing() {
    let bench = Bench::new(Breaker::new("payments"));
    bench.breaker.disable(true);
    for _ in 0..100 {
        assert_eq!(bench.fail(), Some(Recorded::Ignored));
    }
    assert_eq!(bench.breaker.state(), State::Disabled);
    bench.breaker.disable(false);
    assert_eq!(bench.breaker.state(), State::Closed);
    assert_eq!(bench.breaker.snapshot().failures, 0);
}

#[test]
fn isolation_is_stronger_than_disabled() {
    let bench = Bench::new(Breaker::new("payments"));
    bench.breaker.disable(true);
    let isolation = bench.breaker.isolate();
    assert!(bench.fail().is_none());
    drop(isolation);
    assert_eq!(bench.breaker.state(), State::Disabled);
}

#[test]
fn reset_closes_it_and_what_is_under_way_has_no_say() {
    let bench = Bench::new(Breaker::new("payments"));
    let early = bench.breaker.try_acquire_at(bench.now).expect("it is closed");
    bench.open();
    bench.breaker.reset();
    assert_eq!(bench.breaker.state(), State::Closed);
    assert_eq!(early.failure(), Recorded::Stale);
    assert!(bench.succeed().is_some());
}

#[test]
fn snapshot_tells_what_is_counted() {
    let bench = Bench::new(Breaker::new("payments"));
    bench.fail();
    bench.fail();
    let snapshot = bench.breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.failures, snapshot.retry_in), (State::Closed, 2, None));
    for _ in 0..3 {
        bench.fail();
    }
    let snapshot = bench.breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.generation), (State::Open, 1));
    assert!(snapshot.retry_in.is_some_and(|left| left <= secs(30) && left > secs(29)));
}
