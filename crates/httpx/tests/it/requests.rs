//! How a request is made.

use underpin_httpx::{Client, Kind, reqwest::header::HeaderMap};

use crate::{
    builder, client,
    server::{Server, Step, ok},
};

#[tokio::test]
async fn a_request_is_what_it_was_told() {
    let server = Server::new(|_| ok("fine")).await;
    let mut headers = HeaderMap::new();
    headers.append("x-two", "a".parse().expect("a value"));
    headers.append("x-two", "b".parse().expect("a value"));
    client(&server)
        .put("a/b?c=d")
        .header("x-one", "1")
        .headers(headers)
        .bearer("token")
        .query(&[("e", "f g"), ("h", "&")])
        .query::<[(&str, &str); 0]>(&[])
        .body("text")
        .send()
        .await
        .expect("a response");
    let seen = &server.seen()[0];
    assert_eq!((&*seen.method, &*seen.path), ("PUT", "/a/b?c=d&e=f+g&h=%26"));
    assert_eq!(seen.body, "text");
    assert_eq!(seen.header("x-one"), Some("1"));
    assert_eq!(seen.header("x-two"), Some("a"));
    assert_eq!(seen.header("authorization"), Some("Bearer token"));
}

#[tokio::test]
async fn json_and_forms_say_what_they_are() {
    let server = Server::new(|_| ok("fine")).await;
    let http = client(&server);
    http.post("a").body_json(&("a", 1)).send().await.expect("a response");
    http.post("b").form(&[("a", "1 2")]).send().await.expect("a response");
    let typed = http.post("c").header("content-type", "application/problem+json");
    typed.body_json(&1).send().await.expect("a response");
    let seen = server.seen();
    let of =
        |index: usize| (seen[index].header("content-type").expect("a type"), &*seen[index].body);
    assert_eq!(of(0), ("application/json", r#"["a",1]"#));
    assert_eq!(of(1), ("application/x-www-form-urlencoded", "a=1+2"));
    assert_eq!(of(2), ("application/problem+json", "1"));
}

#[tokio::test]
async fn an_empty_query_leaves_the_url_alone() {
    let server = Server::new(|_| ok("fine")).await;
    client(&server).get("a").query::<[(&str, &str); 0]>(&[]).send().await.expect("a response");
    assert_eq!(server.seen()[0].path, "/a");
}

#[tokio::test]
async fn nothing_of_the_base_url_is_lost() {
    let server = Server::new(|_| ok("fine")).await;
    let base = format!("http://{}/v1", server.address);
    let http = builder(&server).base_url(base).build().expect("a client");
    for url in ["users/42", "users?a=http://b/", "/root", ""] {
        http.get(url).send().await.expect("a response");
    }
    let paths: Vec<_> = server.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ["/v1/users/42", "/v1/users?a=http://b/", "/root", "/v1/"]);
}

#[tokio::test]
async fn credentials_in_a_url_become_a_header() {
    let server = Server::new(|_| ok("fine")).await;
    let url = format!("http://me:secret@{}/", server.address);
    client(&server).get(url).send().await.expect("a response");
    assert_eq!(server.seen()[0].header("authorization"), Some("Basic bWU6c2VjcmV0"));
}

#[test]
fn a_base_url_that_is_none_is_an_error_of_the_builder() {
    for url in ["", "api.example.com", "/v1", "ftp://example.com/", "http://"] {
        let error = Client::builder().base_url(url).build().expect_err("not a URL");
        assert_eq!(error.kind(), Kind::Request, "{url}");
    }
}

#[tokio::test]
async fn without_a_base_url_a_relative_one_is_an_error() {
    let http = Client::builder().build().expect("a client");
    let error = http.get("users/42").send().await.expect_err("relative");
    assert_eq!((error.kind(), error.attempts()), (Kind::Request, 0));
}

#[tokio::test]
async fn the_effective_stack_is_described() {
    let server = Server::new(|_| vec![Step::Close]).await;
    let http = Client::builder()
        .base_url(format!("http://me:secret@{}/v1?key=secret", server.address))
        .build()
        .expect("a client");
    let text = http.describe();
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("proxy")).collect();
    let base = format!("base_url         http://{}/v1/", server.address);
    let expected = [
        &*base,
        "deadline         25s, waits and bodies included",
        "attempt_timeout  10s, its body included",
        "connect_timeout  3s",
        "read_timeout     none",
        "retry            3 retries, 1s doubling to 10s, full jitter",
        "budget           for each host, 100 retries in stock",
        "hedge            none",
        "pause_hosts      as Retry-After says, 3600s at most, 1000 hosts",
        "breaker          none",
        "rate_limit       none",
        "redirects        10 at most",
        "max_body         10485760 bytes in memory",
    ];
    assert_eq!(lines, expected);
}
