//! A call that is dropped leaves nothing behind: no task, no connection, no permit, and no retry that was not made.

use std::{sync::Arc, time::Duration};

use testkit::full_or;
use tokio::{
    runtime::Handle,
    task::{JoinSet, yield_now},
    time::{Instant, timeout},
};
use underpin_breaker::{Breaker, State};
use underpin_httpx::{Builder, Client, Request};
use underpin_retry::{Budget, Retry};

use crate::resilience::httpx::{
    PATIENCE, Random, answer, answered,
    server::{Server, Step},
    tell, until,
};

/// How far a call can have come when it is dropped.
fn steps(random: &mut Random) -> Vec<Step> {
    let pause = Duration::from_micros(random.next() % 3000);
    let whole = answer(200, "", "\"hello\"");
    match random.below(9) {
        0 => vec![Step::Hang],
        1 => vec![Step::Read(random.below(100)), Step::Hang],
        2 => vec![Step::READ, Step::Pause(pause), Step::Send(whole)],
        3 => vec![Step::READ, Step::Trickle(whole, pause / 10)],
        4 => vec![Step::READ, Step::Pause(pause), Step::Reset],
        5 => vec![Step::READ, Step::Send(whole[..whole.len() - 3].to_vec()), Step::Fin],
        6 => vec![
            Step::READ,
            Step::send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
            Step::Endless(b"1\r\nx\r\n".to_vec()),
        ],
        7 => answered(503, "", ""),
        _ => answered(503, "retry-after: 0\r\n", ""),
    }
}

async fn call(request: Request, terminal: usize) {
    let _ = match terminal {
        0 => request.bytes().await.map(|_| ()),
        1 => request.json::<String>().await.map(|_| ()),
        2 => request.send().await.map(|_| ()),
        _ => match request.send().await {
            Ok(mut response) => loop {
                match response.chunk().await {
                    Ok(Some(_)) => {}
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            },
            Err(error) => Err(error),
        },
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_calls_leave_no_task_no_connection_and_no_permit() {
    let drops = full_or(10_000, 1_000);
    let seed = 0x51ee_0d0f;
    let before = Handle::current().metrics().num_alive_tasks();
    let server = Server::start(move |turn| steps(&mut Random(seed ^ turn.order as u64))).await;
    let budget = Budget::ratio(0.0).burst(100_000);
    let breaker = Breaker::builder("dropped")
        .trip(underpin_breaker::Trip::consecutive(1))
        .open(Duration::from_millis(1))
        .probe_timeout(Duration::from_secs(3600))
        .successes(1)
        .build();
    let client = |with: fn(Builder, &Breaker) -> Builder| {
        let shared = budget.clone();
        let builder = Client::builder()
            .retry(Retry::fixed(Duration::from_millis(1)).retries(3))
            .budget(move || shared.clone());
        with(builder, &breaker).build().expect("a client")
    };
    let guarded = client(|builder, breaker| builder.breaker(breaker.clone()));
    let free = client(|builder, _| builder);
    let mut callers = JoinSet::new();
    for caller in 0..20 {
        // An open breaker lets little through, so most do without.
        let client = if caller % 5 == 0 { guarded.clone() } else { free.clone() };
        let url = server.url("/");
        callers.spawn(async move {
            let (mut random, mut dropped) = (Random(seed + caller), 0);
            let deadline = Instant::now() + 6 * PATIENCE;
            while dropped < drops / 20 {
                assert!(Instant::now() < deadline, "nothing is let through: a place is lost");
                let request = match random.below(3) {
                    0 => client.get(&url),
                    1 => client.post(&url).body("x".repeat(random.below(100_000))),
                    _ => client.post(&url).body("x").idempotent(),
                };
                let patience = Duration::from_micros(random.next() % 5000);
                let outcome = timeout(patience, call(request, random.below(4))).await;
                dropped += usize::from(outcome.is_err());
                // Nothing that was rejected has waited for anything.
                yield_now().await;
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.expect("no panic");
    }
    tell(&format!(
        "{drops} dropped calls, seed {seed:#x}: {} requests on {} connections, {} retries paid",
        server.seen().len(),
        server.connections(),
        100_000 - budget.balance()
    ));
    // Its half-open place was given back each time, or nobody could ever close it.
    let healer = Server::start(|_| answered(200, "", "")).await;
    let deadline = Instant::now() + PATIENCE;
    while breaker.state() != State::Closed {
        assert!(Instant::now() < deadline, "a place is lost: {:?}", breaker.snapshot());
        let _ = guarded.get(healer.url("/")).bytes().await;
    }
    drop((guarded, free, healer));
    until("every connection has ended", || server.open() == 0).await;
    drop(server);
    until("every task has ended", || Handle::current().metrics().num_alive_tasks() == before).await;
}

/// No retry can have begun before the drop, so none may be missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_dropped_while_it_waits_gives_its_retry_back() {
    let budget = Budget::ratio(0.0).burst(50);
    let shared = budget.clone();
    let client = Client::builder()
        .retry(Retry::fixed(Duration::from_secs(5)).retries(3))
        .budget(move || shared.clone())
        .build()
        .expect("a client");
    let server = Server::start(|turn| match turn.order % 2 {
        0 => answered(503, "", ""),
        _ => vec![Step::READ, Step::Reset],
    })
    .await;
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        let (client, url) = (client.clone(), server.url("/"));
        callers.spawn(async move { client.get(&url).bytes().await });
    }
    until("all wait for their retry", || budget.balance() == 0).await;
    // A call without one left gives up at once.
    let error = client.get(server.url("/")).bytes().await.expect_err("no budget");
    assert_eq!(error.attempts(), 1, "{error}");
    callers.shutdown().await;
    assert_eq!(budget.balance(), 50);
}

/// The one place of a half-open breaker, which would stay taken for an hour.
#[tokio::test]
async fn a_dropped_probe_gives_its_place_back() {
    let breaker = Breaker::builder("probes")
        .trip(underpin_breaker::Trip::consecutive(1))
        .open(Duration::from_millis(1))
        .probe_timeout(Duration::from_secs(3600))
        .successes(1)
        .build();
    let client = Client::builder()
        .breaker(breaker.clone())
        .retry(Retry::fixed(Duration::from_millis(1)).retries(0))
        .build()
        .expect("a client");
    let mode = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let asked = Arc::clone(&mode);
    let server = Server::start(move |_| match asked.load(std::sync::atomic::Ordering::SeqCst) {
        0 => answered(500, "", ""),
        1 => vec![Step::READ, Step::Hang],
        2 => vec![
            Step::READ,
            Step::send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
            Step::Hang,
        ],
        _ => answered(200, "", "well"),
    })
    .await;
    let url = server.url("/");
    let mut random = Random(7);
    for round in 0..full_or(200, 40) {
        mode.store(0, std::sync::atomic::Ordering::SeqCst);
        client.get(&url).bytes().await.expect_err("it opens");
        let hangs = 1 + round % 2;
        mode.store(hangs, std::sync::atomic::Ordering::SeqCst);
        until("it may be tried again", || {
            breaker.snapshot().retry_in.is_none_or(|time| time.is_zero())
        })
        .await;
        let before = server.seen().len();
        let patience = Duration::from_micros(random.next() % 3000);
        let probe = timeout(patience, call(client.get(&url), 3)).await;
        assert!(probe.is_err(), "round {round}: it hangs, so it was dropped");
        // However far it had come.
        let _ = server.seen().len() - before;
        mode.store(3, std::sync::atomic::Ordering::SeqCst);
        let outcome = client.get(&url).bytes().await;
        assert_eq!(outcome.expect("the place is free"), "well", "round {round}");
        assert_eq!(breaker.state(), State::Closed);
    }
}
