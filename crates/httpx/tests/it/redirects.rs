//! What a redirect makes of a failure behind it.

use underpin_httpx::{Disposition, Kind};

use crate::{
    builder, client,
    server::{Server, Step, answer, ok, status},
};

/// A request to `/post` is redirected to `/next`, with this status.
async fn redirecting(code: u16, next: Vec<Step>) -> Server {
    Server::new(move |seen| match &*seen.path {
        "/post" => answer(code, "location: /next\r\n", ""),
        _ => next.clone(),
    })
    .await
}

fn paths(server: &Server) -> Vec<String> {
    server.seen().into_iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
}

#[tokio::test]
async fn a_post_whose_redirected_request_fails_is_not_sent_again() {
    // The first server has answered, so it may have done what was asked for.
    for next in [vec![Step::Close], status(500), answer(429, "", ""), answer(425, "", "")] {
        let server = redirecting(303, next).await;
        client(&server).post("post").body("1").text().await.expect_err("it failed");
        assert_eq!(paths(&server), ["POST /post", "GET /next"]);
    }
}

#[tokio::test]
async fn nor_is_one_that_leads_to_a_host_that_is_down() {
    let down = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address")
    };
    let location = format!("location: http://{down}/\r\n");
    let server = Server::new(move |_| answer(307, &location, "")).await;
    let error = client(&server).post("post").body("1").send().await.expect_err("down");
    assert_eq!((error.kind(), error.disposition()), (Kind::Connect, Disposition::Unknown));
    assert_eq!((error.attempts(), server.count()), (1, 1));
    // A GET may be.
    let error = client(&server).get("get").send().await.expect_err("down");
    assert_eq!((error.attempts(), server.count()), (4, 5));
}

#[tokio::test]
async fn one_that_leads_to_another_protocol_was_sent_and_is_redirected() {
    // Not `Kind::Request`, of which nothing is sent.
    let server = Server::new(|_| answer(307, "location: ftp://example.com/\r\n", "")).await;
    let error = client(&server).post("post").body("1").send().await.expect_err("no HTTP");
    assert_eq!((error.kind(), error.disposition()), (Kind::Redirect, Disposition::Final));
    assert_eq!((error.attempts(), server.count()), (1, 1));
}

#[tokio::test]
async fn the_query_is_not_told_to_where_it_leads() {
    let other = Server::new(|_| ok("there")).await;
    let location = format!("location: {}\r\n", other.url());
    let server = Server::new(move |_| answer(302, &location, "")).await;
    client(&server).get("a?token=secret").text().await.expect("it is followed");
    assert_eq!(other.seen()[0].header("referer"), None);
}

#[tokio::test]
async fn nor_is_one_that_leads_back_to_its_own_url() {
    // As a form does that has been taken: the URL of the failed request is that of the first.
    let server = Server::new(|seen| match &*seen.method {
        "POST" => answer(303, "location: /post\r\n", ""),
        _ => answer(429, "", ""),
    })
    .await;
    client(&server).post("post").body("1").text().await.expect_err("it failed");
    assert_eq!(paths(&server), ["POST /post", "GET /post"]);
}

#[tokio::test]
async fn redirects_are_followed_and_counted() {
    let server = redirecting(302, ok("there")).await;
    let response = client(&server).get("post").send().await.expect("a response");
    assert_eq!(response.url().path(), "/next");
    assert_eq!(response.text().await.expect("a body"), "there");
}

#[tokio::test]
async fn too_many_redirects_are_final() {
    let server = Server::new(|_| answer(302, "location: /round\r\n", "")).await;
    let http = builder(&server).redirects(3).build().expect("a client");
    let error = http.get("x").send().await.expect_err("round and round");
    assert_eq!((error.kind(), error.disposition()), (Kind::Redirect, Disposition::Final));
    assert_eq!((error.attempts(), server.count()), (1, 4));
}

#[tokio::test]
async fn without_redirects_one_is_an_answer() {
    let server = redirecting(302, ok("there")).await;
    let http = builder(&server).redirects(0).build().expect("a client");
    let response = http.get("post").send().await.expect("a response");
    assert_eq!((response.status().as_u16(), server.count()), (302, 1));
}
