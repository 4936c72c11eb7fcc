//! Hedges: what they are for, and what they must not do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use testkit::full_or;
use tokio::{task::JoinSet, time::Instant};
use underpin_httpx::{Client, Hedge};
use underpin_retry::Budget;

use crate::resilience::httpx::{
    Random, answer, quick,
    server::{Server, Step},
    tell,
};

const CALLERS: usize = 16;

/// What a slow answer takes.
const SLOW: Duration = Duration::from_millis(500);

/// What the usual budget keeps, and what hedges may take of it at once.
const STOCK: u64 = 100;
const SPARE: usize = 50;

fn answered(is_slow: bool) -> Vec<Step> {
    let pause = if is_slow { SLOW } else { Duration::ZERO };
    vec![Step::READ, Step::Pause(pause), Step::Send(answer(200, "", "fine"))]
}

/// So many calls of each caller: how long each took, in order.
async fn calls(client: &Client, server: &Server, each: usize) -> Vec<Duration> {
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (client, url) = (client.clone(), server.url("/"));
        callers.spawn(async move {
            let mut times = Vec::new();
            for _ in 0..each {
                let began = Instant::now();
                assert_eq!(client.get(&url).bytes().await.expect("an answer"), "fine");
                times.push(began.elapsed());
            }
            times
        });
    }
    let mut times = callers.join_all().await.concat();
    times.sort();
    times
}

/// A client with the usual budget, which is returned to be looked at.
fn hedging(hedge: Hedge) -> (Client, Budget) {
    let budget = Budget::ratio(0.2).at_least_per_second(1.0);
    let shared = budget.clone();
    let client = quick().budget(move || shared.clone()).hedge(hedge).build().expect("a client");
    (client, budget)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_one_of_twenty_answers_is_slow_the_99th_percentile_is_not() {
    let each = full_or(625, 125);
    let mut of = Vec::new();
    for client in [quick().build().expect("a client"), hedging(Hedge::p95()).0] {
        let has_tail = Arc::new(AtomicBool::new(false));
        let tail = Arc::clone(&has_tail);
        let server = Server::start(move |turn| {
            let is_slow = Random(0x5eed ^ turn.order as u64).below(20) == 0;
            answered(is_slow && tail.load(Ordering::Relaxed))
        })
        .await;
        // What is usual has to be known first: where more than one of 20 has always been slow, that is what is usual.
        calls(&client, &server, 20).await;
        has_tail.store(true, Ordering::Relaxed);
        let before = server.seen().len();
        let times = calls(&client, &server, each).await;
        let p99 = times[times.len() * 99 / 100];
        of.push((p99, server.seen().len() - before, times.len()));
    }
    let [(plain, requests, calls), (hedged, more, _)] = of[..] else { unreachable!() };
    tell(&format!(
        "hedge, one of 20 is slow: p99 {plain:?} without and {hedged:?} with, {} more requests for {calls} calls",
        more - calls
    ));
    assert_eq!(requests, calls);
    assert!(plain >= SLOW, "{plain:?}");
    // Alone it is a few milliseconds; in `ci`, other tests run beside it.
    assert!(hedged < full_or(SLOW / 2, SLOW), "{hedged:?}");
    assert!(more <= calls + calls / 5 + SPARE, "{more} for {calls}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_all_answers_are_slow_at_once_no_more_is_added_than_the_budget_has() {
    for hedge in [Hedge::p95(), Hedge::after(Duration::from_millis(20))] {
        let each = full_or(100, 20);
        let is_slow = Arc::new(AtomicBool::new(false));
        let outage = Arc::clone(&is_slow);
        let server = Server::start(move |_| answered(outage.load(Ordering::Relaxed))).await;
        let (client, budget) = hedging(hedge);
        calls(&client, &server, 20).await;
        is_slow.store(true, Ordering::Relaxed);
        let (before, stock) = (server.seen().len(), budget.balance());
        let calls = calls(&client, &server, each).await.len();
        let more = server.seen().len() - before - calls;
        tell(&format!(
            "hedge, all are slow, {hedge}: {more} more requests for {calls} calls, {} of {stock} retries left",
            budget.balance()
        ));
        assert!(more > 0 && more <= calls / 5 + SPARE, "{more} for {calls}");
        assert!(budget.balance() >= STOCK - SPARE as u64, "{budget:?}");
    }
}
