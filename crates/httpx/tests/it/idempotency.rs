//! What is never done twice, and what makes it safe.

use std::collections::HashSet;

use crate::{
    client,
    server::{Server, Step, answer, broken, ok, status},
};

#[tokio::test]
async fn a_post_that_may_have_been_processed_is_not_sent_again() {
    for failure in [
        status(500),
        status(502),
        status(503),
        status(504),
        status(408),
        vec![Step::Close],
        vec![Step::Reset],
        vec![Step::Send(b"HTTP/1.1 200".to_vec()), Step::Close],
        broken("", 10, "half"),
    ] {
        let server = Server::script(vec![failure.clone()]).await;
        let http = client(&server);
        http.post("charges").body("1 EUR").text().await.expect_err("it failed");
        assert_eq!(server.count(), 1, "{failure:?}");
        http.patch("charges").body("1 EUR").text().await.expect("the script is over");
    }
}

#[tokio::test]
async fn a_post_that_was_refused_is_sent_again() {
    let refusals = [
        answer(429, "", ""),
        answer(429, "retry-after: 0\r\n", ""),
        answer(503, "retry-after: 0\r\n", ""),
        answer(425, "", ""),
    ];
    for refusal in refusals {
        let server = Server::script(vec![refusal]).await;
        client(&server).post("charges").body("1 EUR").text().await.expect("an answer");
        assert_eq!(server.count(), 2);
    }
}

#[tokio::test]
async fn a_post_with_a_key_is_sent_again_with_the_same_key() {
    let server = Server::script(vec![status(500), vec![Step::Close], broken("", 9, "h")]).await;
    let http = client(&server);
    http.post("charges").body_json(&1).idempotent().text().await.expect("an answer");
    http.post("charges").body_json(&1).idempotent().text().await.expect("an answer");
    let keys: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| seen.header("idempotency-key").expect("a key").to_owned())
        .collect();
    assert_eq!(keys.len(), 5);
    assert!(keys[..4].iter().all(|key| *key == keys[0]));
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 2);
    // A string of a structured field, of 128 bits.
    assert!(keys[0].len() == 34 && keys[0].starts_with('"') && keys[0].ends_with('"'));
}

#[tokio::test]
async fn a_key_of_the_users_is_never_overwritten() {
    let server = Server::script(vec![status(500)]).await;
    let http = client(&server);
    http.post("a").header("idempotency-key", "mine").idempotent().text().await.expect("an answer");
    http.post("b").idempotency_key("or\"der\\7").idempotent().text().await.expect("an answer");
    let seen = server.seen();
    let keys: Vec<_> = seen.iter().filter_map(|seen| seen.header("idempotency-key")).collect();
    // The first was sent twice: a key of one's own makes it repeatable as well.
    assert_eq!(keys, ["mine", "mine", r#""or\"der\\7""#]);
}

#[tokio::test]
async fn a_conflict_after_a_lost_attempt_is_asked_about_again() {
    let server = Server::script(vec![vec![Step::Close], status(409), ok("done")]).await;
    let http = client(&server);
    assert_eq!(http.post("a").idempotent().text().await.expect("an answer"), "done");

    let server = Server::new(|_| status(409)).await;
    let error = client(&server).post("a").idempotent().text().await.expect_err("a conflict");
    assert_eq!((error.attempts(), server.count()), (1, 1));

    let server = Server::script(vec![vec![Step::Close], status(422)]).await;
    let error = client(&server).post("a").idempotent().text().await.expect_err("another body");
    assert_eq!((error.attempts(), server.count()), (2, 2));
}

#[tokio::test]
async fn idempotent_methods_need_no_key() {
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        let server = Server::script(vec![vec![Step::Close]]).await;
        let method = method.parse().expect("a method");
        client(&server).request(method, "x").send().await.expect("a response");
        assert_eq!(server.count(), 2);
        assert!(server.seen().iter().all(|seen| seen.header("idempotency-key").is_none()));
    }
}
