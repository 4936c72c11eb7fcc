//! What a breaker adds to a call: while all is well, and while it is open.
//!
//! The call is a future that is ready at once. All breakers open at five failures in a row, or as near to that as they can be told.
//! With two threads, both call through the same breaker.

use std::{
    future::{self, Ready},
    hint::{black_box, spin_loop},
    iter::repeat_n,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use failsafe::{
    backoff::constant, failure_policy::consecutive_failures, futures::CircuitBreaker as _,
};
use measure::{Shared, print, run_shared};
use recloser::{AsyncRecloser, Recloser};
use tower::{Layer, Service};
use tower_resilience_circuitbreaker::CircuitBreakerLayer;
use underpin_breaker::{Breaker, Trip};

use crate::polled::{Failed, fails, make, ready, succeeds};

const BATCHES: usize = 101;
const BATCH: Duration = Duration::from_millis(4);

/// Calls in a piece of work, so that starting it is not what is measured.
const CALLS: u32 = 100;

const HOUR: Duration = Duration::from_secs(3600);

/// Prints the tables.
pub fn tables() {
    for threads in [1, 2] {
        let title = format!("a call that succeeds through a breaker, {threads} thread(s)");
        print(&title, &run_shared(healthy(), threads, BATCHES, BATCH));
    }
    for threads in [1, 2] {
        let title = format!("a call that is rejected by an open breaker, {threads} thread(s)");
        print(&title, &run_shared(open(), threads, BATCHES, BATCH));
    }
}

/// While all is well. The first one is the call alone.
pub fn healthy() -> Vec<Shared> {
    let mut contenders = vec![repeated("the future alone", || || make(succeeds()))];
    contenders.extend(breakers(false));
    contenders.push(ours("underpin-breaker, a rate of 32", false, |builder| {
        builder.trip(Trip::rate(0.5).last(32).min_calls(32))
    }));
    contenders.push(ours("underpin-breaker, a rate over 10 s", false, |builder| {
        builder.trip(Trip::rate(0.5).over(Duration::from_secs(10)).min_calls(20))
    }));
    contenders.push(ours("underpin-breaker, slow", false, |builder| builder.slow(HOUR)));
    let permits = Breaker::new("bench");
    contenders.push(repeated("underpin-breaker, try_acquire", move || {
        let breaker = permits.clone();
        move || {
            if let Ok(permit) = breaker.try_acquire() {
                black_box(permit.success());
            }
        }
    }));
    contenders
}

/// While it is open.
pub fn open() -> Vec<Shared> {
    breakers(true)
}

fn breakers(open: bool) -> Vec<Shared> {
    vec![
        ours("underpin-breaker", open, |builder| builder),
        tower_resilience(open),
        breaker2(open),
        failsafe(open),
        recloser(open),
    ]
}

/// Work that is so many calls.
fn repeated<M, C>(name: &'static str, make: M) -> Shared
where
    M: Fn() -> C + 'static,
    C: FnMut() + Send + 'static,
{
    Shared::new(name, move || {
        let mut call = make();
        Box::new(move || repeat_n((), CALLS as usize).for_each(|()| call()))
    })
    .of(CALLS)
}

fn ours(
    name: &'static str,
    open: bool,
    settings: impl FnOnce(underpin_breaker::Builder) -> underpin_breaker::Builder,
) -> Shared {
    let breaker = settings(Breaker::builder("bench").open(HOUR)).build();
    if open {
        (0..5).for_each(|_| drop(ready(breaker.call(fails()))));
        assert!(ready(breaker.call(succeeds())).is_err(), "it is open");
    }
    repeated(name, move || {
        let breaker = breaker.clone();
        move || make(breaker.call(succeeds()))
    })
}

/// The service behind its layer, which makes the call.
#[derive(Clone)]
struct Calls;

impl Service<bool> for Calls {
    type Response = u64;
    type Error = Failed;
    type Future = Ready<Result<u64, Failed>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, succeed: bool) -> Self::Future {
        future::ready(black_box(if succeed { Ok(7) } else { Err(Failed) }))
    }
}

fn tower_resilience(open: bool) -> Shared {
    let layer = CircuitBreakerLayer::builder().consecutive_failures(5).wait_duration_in_open(HOUR);
    // With a handle, all services of the layer share the circuit.
    let (layer, _) = layer.build_with_handle().expect("the settings are valid");
    if open {
        (0..5).for_each(|_| drop(ready(layer.layer(Calls).call(false))));
        assert!(ready(layer.layer(Calls).call(true)).is_err(), "it is open");
    }
    repeated("tower-resilience", move || {
        let mut service = layer.layer(Calls);
        move || {
            // Not asked whether it is ready: open, that wants a timer where two threads meet, and closed, it costs next to nothing.
            let mut call = service.call(true);
            let mut cx = Context::from_waker(Waker::noop());
            while black_box(call.as_mut().poll(&mut cx)).is_pending() {
                spin_loop();
            }
        }
    })
}

fn breaker2(open: bool) -> Shared {
    let config = breaker::CircuitBreakerConfig::builder()
        .consecutive_failures(5)
        .failure_rate_threshold(0.0)
        .wait_duration(HOUR)
        .build();
    let breaker = breaker::CircuitBreaker::new(config);
    if open {
        (0..5).for_each(|_| drop(ready(breaker.call(fails))));
        assert!(ready(breaker.call(succeeds)).is_err(), "it is open");
    }
    repeated("breaker", move || {
        let breaker = breaker.clone();
        move || make(breaker.call(succeeds))
    })
}

fn failsafe(open: bool) -> Shared {
    let policy = consecutive_failures(5, constant(HOUR));
    let breaker = failsafe::Config::new().failure_policy(policy).build();
    if open {
        (0..5).for_each(|_| drop(ready(breaker.call(fails()))));
        assert!(ready(breaker.call(succeeds())).is_err(), "it is open");
    }
    repeated("failsafe", move || {
        let breaker = breaker.clone();
        move || make(breaker.call(succeeds()))
    })
}

fn recloser(open: bool) -> Shared {
    let breaker = Recloser::custom().closed_len(5).error_rate(1.0).open_wait(HOUR).build();
    let breaker = Arc::new(AsyncRecloser::from(breaker));
    if open {
        (0..6).for_each(|_| drop(ready(breaker.call(fails()))));
        assert!(ready(breaker.call(succeeds())).is_err(), "it is open");
    }
    repeated("recloser", move || {
        let breaker = breaker.clone();
        move || make(breaker.call(succeeds()))
    })
}
