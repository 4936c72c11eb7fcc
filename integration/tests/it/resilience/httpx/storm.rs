//! What a dead backend sees of 200 callers who all retry.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use testkit::full_or;
use tokio::task::JoinSet;
use underpin_httpx::Client;
use underpin_retry::Retry;

use crate::resilience::httpx::{
    answered,
    server::{Server, Step},
    tell,
};

const CALLERS: usize = 200;

/// What the budget keeps for a quiet time, which is over at once.
const BURST: usize = 100;

/// Requests at the server, after so many calls of each caller.
async fn storm(client: &Client, server: &Server, calls: usize) -> usize {
    let before = server.seen().len();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (client, url) = (client.clone(), server.url("/"));
        callers.spawn(async move {
            for _ in 0..calls {
                let _ = client.get(&url).bytes().await;
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.expect("no panic");
    }
    server.seen().len() - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_backend_sees_a_quarter_more_than_it_would_without_retries() {
    let calls = full_or(50, 10);
    for way in ["503", "reset", "fin"] {
        // The usual budget, and the usual number of retries; only the waits are shorter, so that the test is.
        let retry =
            Retry::exponential(Duration::from_millis(5)..=Duration::from_millis(50)).retries(3);
        let client = Client::builder().retry(retry).build().expect("a client");
        let server = Server::start(move |_| match way {
            "503" => answered(503, "", ""),
            "reset" => vec![Step::READ, Step::Reset],
            _ => vec![Step::READ, Step::Fin],
        })
        .await;
        // The burst, which an outage may use up once.
        let first = storm(&client, &server, 2).await;
        let operations = CALLERS * calls;
        let steady = storm(&client, &server, calls).await;
        #[expect(clippy::cast_precision_loss, reason = "they are small")]
        let amplification = steady as f64 / operations as f64;
        tell(&format!(
            "storm, {way}: {first} requests for the first {} calls, then {steady} for {operations}: {amplification:.3}",
            CALLERS * 2
        ));
        assert!(first <= CALLERS * 2 * 5 / 4 + BURST + 20, "{way}: {first} in the beginning");
        assert!(amplification <= 1.25, "{way}: {amplification}");
        // And it is used: those that may retry, do.
        assert!(amplification >= 1.1, "{way}: {amplification}");
    }
}

/// A `Retry-After` is heard by all callers, so that a backend that asks for a pause has one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_asks_for_a_pause_has_it() {
    let client = Client::builder().deadline(Duration::from_millis(500)).build().expect("a client");
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let server = Server::start(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        answered(503, "retry-after: 3600\r\n", "")
    })
    .await;
    client.get(server.url("/")).send().await.expect("a 503");
    let requests = storm(&client, &server, 10).await;
    assert_eq!((requests, asked.load(Ordering::SeqCst)), (0, 1), "{} calls", CALLERS * 10);
}
