//! A rate over a time.

use std::{thread, time::Duration};

use underpin_breaker::{Breaker, Recorded, State, Trip};

use crate::{Bench, millis, secs};

fn half_of_ten_seconds() -> Bench {
    let trip = Trip::rate(0.5).over(secs(10)).min_calls(20);
    Bench::new(Breaker::builder("rate").trip(trip).successes(2).build())
}

fn times(calls: u32, mut call: impl FnMut()) {
    for _ in 0..calls {
        call();
    }
}

#[test]
fn half_of_the_calls_of_the_last_while_open_it() {
    let mut bench = half_of_ten_seconds();
    // An hour of good calls counts for nothing a little later.
    times(3600, || {
        bench.pass(secs(1));
        bench.succeed();
    });
    bench.pass(secs(10));
    times(10, || _ = bench.succeed());
    bench.pass(secs(3));
    times(9, || assert_eq!(bench.fail(), Some(Recorded::Counted)));
    assert_eq!(bench.fail(), Some(Recorded::Tripped));
}

#[test]
fn over_a_time_it_waits_for_enough_calls() {
    let mut bench = half_of_ten_seconds();
    // One a second is never twenty in ten seconds.
    times(1000, || {
        bench.pass(secs(1));
        assert_eq!(bench.fail(), Some(Recorded::Counted));
    });
    times(11, || _ = bench.fail());
    assert_eq!(bench.breaker.state(), State::Open);
}

#[test]
fn failures_older_than_the_time_are_forgotten_after_a_pause_of_any_length() {
    for pause in [10, 11, 12, 20, 35, 100, 3600, 86_400] {
        let mut bench = half_of_ten_seconds();
        times(19, || _ = bench.fail());
        bench.pass(secs(pause));
        times(19, || assert_eq!(bench.fail(), Some(Recorded::Counted), "after {pause} s"));
        assert_eq!(bench.fail(), Some(Recorded::Tripped));
    }
}

#[test]
fn failures_within_nine_tenths_of_the_time_are_not_forgotten() {
    let mut bench = half_of_ten_seconds();
    times(19, || _ = bench.fail());
    bench.pass(secs(9));
    assert_eq!(bench.fail(), Some(Recorded::Tripped));
}

#[test]
fn success_never_opens_it_over_a_time() {
    let bench = half_of_ten_seconds();
    times(19, || _ = bench.fail());
    assert_eq!(bench.succeed(), Some(Recorded::Counted));
    assert_eq!(bench.breaker.state(), State::Closed);
    assert_eq!(bench.fail(), Some(Recorded::Tripped));
}

#[test]
fn probes_further_apart_than_the_time_still_close_it() {
    let mut bench = half_of_ten_seconds();
    times(20, || _ = bench.fail());
    bench.pass(secs(30));
    assert_eq!(bench.succeed(), Some(Recorded::Counted));
    bench.pass(secs(60));
    assert_eq!(bench.succeed(), Some(Recorded::Closed));
}

#[test]
fn what_was_counted_before_it_opened_is_not_counted_after() {
    let trip = Trip::rate(0.5).over(secs(3600)).min_calls(20);
    let breaker = Breaker::builder("rate").trip(trip).open(millis(1)).successes(1);
    let mut bench = Bench::new(breaker.build());
    for _ in 0..100 {
        times(19, || assert_eq!(bench.fail(), Some(Recorded::Counted)));
        assert_eq!(bench.fail(), Some(Recorded::Tripped));
        bench.pass(millis(1));
        assert_eq!(bench.succeed(), Some(Recorded::Closed));
    }
    times(19, || _ = bench.fail());
    bench.breaker.reset();
    assert_eq!(bench.fail(), Some(Recorded::Counted));
}

#[test]
fn clock_that_goes_back_only_delays_over_a_time() {
    let mut bench = half_of_ten_seconds();
    let long_ago = bench.now.checked_sub(secs(1)).expect("the machine runs for longer");
    bench.pass(secs(100));
    times(10, || _ = bench.fail());
    let now = std::mem::replace(&mut bench.now, long_ago);
    times(100, || assert_eq!(bench.fail(), Some(Recorded::Counted)));
    bench.now = now;
    times(9, || assert_eq!(bench.fail(), Some(Recorded::Counted)));
    assert_eq!(bench.fail(), Some(Recorded::Tripped));
}

#[test]
fn threads_lose_no_call_over_a_time() {
    for _ in 0..20 {
        // All of 40,000 successes have to be there, or 10,000 failures of 50,000 calls are more than a fifth.
        let trip = Trip::rate(0.200_001).over(Duration::from_secs(3600)).min_calls(50_000);
        let bench = Bench::new(Breaker::builder("rate").trip(trip).build());
        let all = |call: fn(&Bench) -> Option<Recorded>, calls| {
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| times(calls, || _ = call(&bench)));
                }
            });
        };
        all(Bench::succeed, 10_000);
        all(Bench::fail, 2500);
        assert_eq!(bench.breaker.state(), State::Closed);
        assert_eq!(bench.fail(), Some(Recorded::Tripped));
    }
}
