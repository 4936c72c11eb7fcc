//! A second attempt beside a slow first one.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use underpin_httpx::{Body, Budget, Builder, Client, Disposition, Hedge, Kind, Retry};

use crate::{
    builder, millis, secs,
    server::{Server, Step, answer, ok, status},
};

/// When a hedge is sent; nothing on this machine is as slow by itself.
const AFTER: Duration = millis(60);

/// In the middle of the hedge, and after its end.
const LATER: Duration = millis(250);

fn hedging(server: &Server) -> Builder {
    builder(server).hedge(Hedge::after(AFTER))
}

fn client(server: &Server) -> Client {
    hedging(server).build().expect("a client")
}

/// A client that can add so many attempts altogether, and what is left of them.
fn with_stock(server: &Server, burst: u32) -> (Builder, Budget) {
    let budget = Budget::ratio(0.0).burst(burst);
    let shared = budget.clone();
    (hedging(server).budget(move || shared.clone()), budget)
}

fn hang() -> Vec<Step> {
    vec![Step::Hang]
}

fn slow(answer: Vec<Step>) -> Vec<Step> {
    [vec![Step::Wait(LATER)], answer].concat()
}

#[tokio::test]
async fn a_slow_request_is_sent_once_more_and_the_first_answer_wins() {
    let server = Server::script(vec![hang(), ok("second")]).await;
    let response = client(&server).get("x").send().await.expect("a response");
    assert_eq!((response.attempts(), response.disposition()), (2, Disposition::Success));
    assert!(response.elapsed() >= AFTER);
    assert_eq!(response.text().await.expect("a body"), "second");

    let server = Server::script(vec![slow(ok("first")), hang()]).await;
    let response = client(&server).get("x").send().await.expect("a response");
    assert_eq!(response.attempts(), 2);
    assert_eq!(response.text().await.expect("a body"), "first");
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn what_is_answered_in_time_or_not_set_is_not_hedged() {
    let server = Server::new(|_| ok("fine")).await;
    let (http, budget) = with_stock(&server, 10);
    let response = http.build().expect("a client").get("x").send().await.expect("a response");
    assert_eq!((response.attempts(), server.count(), budget.balance()), (1, 1, 10));

    let server = Server::new(|_| slow(ok("fine"))).await;
    let http = builder(&server).build().expect("a client");
    assert_eq!(http.get("x").send().await.expect("a response").attempts(), 1);
}

#[tokio::test]
async fn the_time_ends_with_the_headers_and_not_with_the_body() {
    let server = Server::new(|_| {
        let [head, body] = ["HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", "fine"];
        vec![Step::Send(head.into()), Step::Wait(LATER), Step::Send(body.into())]
    })
    .await;
    assert_eq!(client(&server).get("x").text().await.expect("a body"), "fine");
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn only_what_may_be_repeated_is_hedged() {
    for (method, requests) in
        [("GET", 2), ("HEAD", 2), ("PUT", 2), ("DELETE", 2), ("POST", 1), ("PATCH", 1)]
    {
        let server = Server::new(|seen| if seen.number == 1 { slow(ok("")) } else { hang() }).await;
        let method = method.parse().expect("a method");
        let response = client(&server).request(method, "x").send().await.expect("a response");
        let method = &server.seen()[0].method;
        assert_eq!(
            (response.attempts() as usize, server.count()),
            (requests, requests),
            "{method}"
        );
    }
}

#[tokio::test]
async fn both_have_the_same_idempotency_key() {
    let server = Server::script(vec![hang(), ok("charged")]).await;
    let charge = client(&server).post("charges").body("1 EUR").idempotent().text().await;
    assert_eq!(charge.expect("an answer"), "charged");
    let seen = server.seen();
    assert_eq!((seen[0].body.as_str(), seen[1].body.as_str()), ("1 EUR", "1 EUR"));
    let key = seen[0].header("idempotency-key");
    assert!(key.is_some() && key == seen[1].header("idempotency-key"));
}

#[tokio::test]
async fn a_body_that_can_be_sent_once_is_not_hedged() {
    let server = Server::script(vec![slow(ok("put"))]).await;
    let body = Body::once(Full::new(Bytes::from_static(b"once")));
    let response = client(&server).put("x").body(body).send().await.expect("a response");
    assert_eq!((response.attempts(), server.count()), (1, 1));

    let server = Server::script(vec![hang(), ok("put")]).await;
    let body = Body::replay(|| Full::new(Bytes::from_static(b"again")));
    client(&server).put("x").body(body).send().await.expect("a response");
    let bodies: Vec<_> = server.seen().iter().map(|seen| seen.body.clone()).collect();
    assert_eq!(bodies, ["again", "again"]);
}

#[tokio::test]
async fn who_wants_one_attempt_gets_one() {
    let server = Server::script(vec![slow(ok("first"))]).await;
    let response = client(&server).get("x").no_retry().send().await.expect("a response");
    assert_eq!((response.attempts(), server.count()), (1, 1));
}

#[tokio::test]
async fn a_request_is_hedged_once_and_its_retries_are_not() {
    let server = Server::script(vec![hang(), hang(), slow(ok("third"))]).await;
    let (http, budget) = with_stock(&server, 10);
    let http = http.attempt_timeout(2 * LATER).build().expect("a client");
    let response = http.get("x").send().await.expect("a response");
    // One for the hedge and one for the retry, which was as slow as the first.
    assert_eq!((response.attempts(), server.count(), budget.balance()), (3, 3, 8));
}

#[tokio::test]
async fn a_failure_of_one_is_not_the_end_of_the_other() {
    for failure in [status(500), answer(429, "", ""), vec![Step::Close]] {
        let server = Server::script(vec![slow(ok("first")), failure.clone()]).await;
        let (http, budget) = with_stock(&server, 10);
        let http = http.build().expect("a client");
        assert_eq!(http.get("x").text().await.expect("a body"), "first", "{failure:?}");
        assert_eq!((server.count(), budget.balance()), (2, 9));

        let server = Server::script(vec![slow(failure), slow(ok("second"))]).await;
        let text = client(&server).get("x").text().await;
        assert_eq!((&*text.expect("a body"), server.count()), ("second", 2));
    }
}

#[tokio::test]
async fn two_failures_are_one_and_are_retried() {
    let server = Server::script(vec![slow(status(500)), status(503)]).await;
    let response = client(&server).get("x").send().await.expect("a response");
    assert_eq!((response.status().as_u16(), response.attempts(), server.count()), (200, 3, 3));

    // An answer says more than none, whichever comes last.
    for script in [[slow(vec![Step::Close]), status(503)], [slow(status(503)), vec![Step::Close]]] {
        let server = Server::script(script.into()).await;
        let http = hedging(&server).retry(Retry::fixed(secs(0)).retries(0)).build();
        let response = http.expect("a client").get("x").send().await.expect("a response");
        assert_eq!((response.status().as_u16(), response.attempts()), (503, 2));
        assert!(response.is_exhausted());
    }

    // One that says when to come back is heard, whichever comes last.
    let later = || answer(503, "retry-after: 60\r\n", "");
    for script in [[slow(later()), status(500)], [slow(status(500)), later()]] {
        let server = Server::script(script.into()).await;
        let response = client(&server).get("x").send().await.expect("a response");
        assert_eq!((response.retry_after(), server.count()), (Some(secs(60)), 2));
    }

    let server = Server::script(vec![slow(vec![Step::Close]), vec![Step::Close]]).await;
    let http = hedging(&server).retry(Retry::fixed(secs(0)).retries(0)).build();
    let error = http.expect("a client").get("x").send().await.expect_err("it is closed");
    assert_eq!((error.kind(), error.attempts()), (Kind::Transport, 2));
}

#[tokio::test]
async fn a_refusal_ends_what_changes_nothing_and_not_what_does() {
    let server = Server::script(vec![hang(), status(404)]).await;
    let response = client(&server).get("x").send().await.expect("a response");
    assert_eq!((response.status().as_u16(), response.attempts()), (404, 2));

    // The first one deletes it, so the second one finds nothing.
    let server = Server::script(vec![slow(answer(204, "", "")), status(404)]).await;
    let response = client(&server).delete("x").send().await.expect("a response");
    assert_eq!((response.status().as_u16(), response.attempts()), (204, 2));

    // Whatever becomes of the other, it was an answer.
    let server = Server::script(vec![slow(vec![Step::Close]), status(404)]).await;
    let response = client(&server).delete("x").send().await.expect("a response");
    assert_eq!((response.status().as_u16(), response.attempts()), (404, 2));
}

#[tokio::test]
async fn a_conflict_of_either_is_the_other_that_is_processed() {
    let conflict = || answer(409, "", "in progress");
    for script in [[slow(conflict()), slow(slow(ok("charged")))], [slow(ok("charged")), conflict()]]
    {
        let server = Server::script(script.into()).await;
        let charge = client(&server).post("charges").body("1 EUR").idempotent().text().await;
        assert_eq!((&*charge.expect("an answer"), server.count()), ("charged", 2));
    }
}

#[tokio::test]
async fn the_loser_is_gone_before_the_body_is_read() {
    let half = || {
        vec![Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf".to_vec()), Step::Hang]
    };
    let server = Server::script(vec![hang(), half()]).await;
    let response = client(&server).get("x").send().await.expect("a response");
    server.wait_for_end(1).await;
    drop(response);

    let server = Server::script(vec![slow(half()), hang()]).await;
    let mut reading = pin!(client(&server).get("x").text());
    tokio::select! {
        text = &mut reading => panic!("half of it is missing: {text:?}"),
        () = server.wait_for_end(2) => {}
    }
}

#[tokio::test]
async fn a_request_that_is_dropped_drops_both() {
    let server = Server::new(|_| hang()).await;
    let http = client(&server);
    let request = tokio::spawn(async move { http.get("x").send().await });
    server.wait_for(2).await;
    request.abort();
    server.wait_for_end(1).await;
    server.wait_for_end(2).await;
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn the_deadline_is_that_of_both() {
    let server = Server::new(|_| hang()).await;
    let began = Instant::now();
    let request = client(&server).get("x").deadline(LATER);
    let error = request.send().await.expect_err("they hang");
    assert!(error.is_timeout() && began.elapsed() >= LATER && began.elapsed() < secs(5));
    assert_eq!((error.attempts(), server.count()), (2, 2));

    // Nothing is sent that has no time left.
    let server = Server::new(|_| hang()).await;
    let request = client(&server).get("x").deadline(AFTER / 2);
    assert_eq!(request.send().await.expect_err("it hangs").attempts(), 1);
}

#[tokio::test]
async fn hedges_come_out_of_the_budget_and_leave_half_of_it_to_retries() {
    let server = Server::new(|seen| match &*seen.path {
        "/slow" => slow(ok("fine")),
        _ => status(500),
    })
    .await;
    let (http, budget) = with_stock(&server, 5);
    let http = http.build().expect("a client");
    let mut hedged = Vec::new();
    for _ in 0..4 {
        let response = http.get("slow").send().await.expect("a response");
        hedged.push((response.attempts(), budget.balance()));
    }
    assert_eq!(hedged, [(2, 4), (2, 3), (1, 3), (1, 3)]);
    assert_eq!(http.get("fail").send().await.expect("a response").attempts(), 4);
    assert_eq!((server.count(), budget.balance()), (10, 0));
}

#[tokio::test]
async fn a_host_that_is_paused_in_the_meantime_gets_no_hedge() {
    let server = Server::new(|seen| match &*seen.path {
        "/slow" => slow(ok("fine")),
        _ => answer(429, "retry-after: 60\r\n", ""),
    })
    .await;
    let (http, budget) = with_stock(&server, 10);
    let http = http.build().expect("a client");
    let other = http.clone();
    let slow = tokio::spawn(async move { other.get("slow").send().await });
    server.wait_for(1).await;
    http.get("limit").no_retry().send().await.expect("a response");
    let response = slow.await.expect("no panic").expect("a response");
    assert_eq!((response.attempts(), server.count(), budget.balance()), (1, 2, 10));
}

#[tokio::test]
async fn the_percentile_is_learned_of_each_host_before_anything_is_hedged() {
    let fast_but = |slow: &'static [usize]| {
        Server::new(move |seen| match seen.number {
            number if slow.contains(&number) => hang(),
            _ => ok("fine"),
        })
    };
    // The first request is given up by its attempt, for nothing is known yet. The last comes after 20 answers.
    let server = fast_but(&[1, 22]).await;
    let http = builder(&server).hedge(Hedge::p95()).attempt_timeout(millis(500));
    let http = http.budget(|| Budget::ratio(0.0).burst(4)).build().expect("a client");
    let began = Instant::now();
    assert_eq!(http.get("x").text().await.expect("a body"), "fine");
    assert!(began.elapsed() >= millis(500), "it was waited for");
    for _ in 0..19 {
        http.get("x").text().await.expect("a body");
    }
    assert_eq!(server.count(), 21);
    let began = Instant::now();
    http.get("x").text().await.expect("a body");
    assert!(began.elapsed() < millis(500), "{:?}", began.elapsed());
    assert_eq!(server.count(), 23);

    let other = fast_but(&[1]).await;
    let began = Instant::now();
    http.get(other.url()).text().await.expect("a body");
    assert!(began.elapsed() >= millis(500), "another host is another matter");
}

#[cfg(feature = "ratelimit")]
#[tokio::test]
async fn a_hedge_waits_for_no_place_of_the_rate_limit() {
    use underpin_ratelimit::{Limit, Limiter};
    for (places, attempts) in [(1, 1), (2, 2)] {
        let server = Server::new(|_| slow(ok("fine"))).await;
        let (http, budget) = with_stock(&server, 10);
        let http = http.rate_limit(Limiter::new(Limit::window(places, secs(60)))).build();
        let response = http.expect("a client").get("x").send().await.expect("a response");
        let left = 11 - u64::from(attempts);
        assert_eq!((response.attempts(), budget.balance()), (attempts, left));
    }
}

#[cfg(feature = "breaker")]
mod breaker {
    use std::{
        future::{Future as _, poll_fn},
        task::Poll,
    };

    use underpin_breaker::{Breaker, State};

    use super::*;

    #[tokio::test]
    async fn the_loser_says_nothing_however_slow_it_was() {
        let server = Server::script(vec![hang(), ok("second")]).await;
        let breaker = Breaker::builder("slow").slow(millis(500)).build();
        let http = hedging(&server).hedge(Hedge::after(millis(700))).breaker(breaker.clone());
        let http = http.build().expect("a client");
        assert_eq!(http.get("x").text().await.expect("a body"), "second");
        assert_eq!((breaker.snapshot().failures, server.count()), (0, 2));

        let server = Server::script(vec![slow(ok("first")), hang()]).await;
        let breaker = Breaker::builder("slow").slow(millis(100)).build();
        let http = hedging(&server).breaker(breaker.clone()).build().expect("a client");
        assert_eq!(http.get("x").text().await.expect("a body"), "first");
        // The winner was slow, and the other one as well, when it was given up.
        assert_eq!((breaker.snapshot().failures, server.count()), (1, 2));
    }

    #[tokio::test]
    async fn both_that_fail_are_failures() {
        let server = Server::script(vec![slow(status(500)), status(500)]).await;
        let breaker = Breaker::new("payments");
        let http = hedging(&server).retry(Retry::fixed(secs(0)).retries(0));
        let http = http.breaker(breaker.clone()).build().expect("a client");
        http.get("x").send().await.expect("a response");
        assert_eq!(breaker.snapshot().failures, 2);
    }

    #[tokio::test]
    async fn both_that_a_caller_gives_up_after_a_long_time_are_failures() {
        let server = Server::new(|_| hang()).await;
        let breaker = Breaker::builder("slow").slow(millis(20)).build();
        let http = hedging(&server).breaker(breaker.clone()).build().expect("a client");
        let request = http.get("x").send();
        tokio::time::timeout(LATER, request).await.expect_err("they hang");
        assert_eq!((server.count(), breaker.snapshot().failures), (2, 2));
    }

    #[tokio::test]
    async fn a_probe_is_not_hedged() {
        let server = Server::new(|_| slow(ok("fine"))).await;
        let breaker =
            Breaker::builder("payments").open(secs(0)).concurrent_probes(9).successes(9).build();
        for _ in 0..5 {
            breaker.try_acquire().expect("it is closed").failure();
        }
        drop(breaker.try_acquire_at(Instant::now() + secs(1)).expect("its time is up"));
        let (http, budget) = with_stock(&server, 10);
        let http = http.breaker(breaker.clone()).build().expect("a client");
        let response = http.get("x").send().await.expect("a response");
        assert_eq!((response.attempts(), budget.balance()), (1, 10));
        assert_eq!(breaker.state(), State::HalfOpen);
    }

    #[tokio::test]
    async fn what_opens_in_the_meantime_gets_no_hedge() {
        let server = Server::new(|_| slow(ok("fine"))).await;
        let breaker = Breaker::new("payments");
        let (http, budget) = with_stock(&server, 10);
        let http = http.breaker(breaker.clone()).build().expect("a client");
        let mut request = pin!(http.get("x").send());
        assert!(poll_fn(|cx| Poll::Ready(request.as_mut().poll(cx).is_pending())).await);
        let _isolated = breaker.isolate();
        let response = request.await.expect("a response");
        assert_eq!((response.attempts(), budget.balance()), (1, 10));
    }
}
