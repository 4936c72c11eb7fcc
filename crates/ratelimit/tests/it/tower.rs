//! The limiter as a layer, and what its clients are told.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header::RETRY_AFTER};
use tower_layer::Layer as _;
use tower_service::Service;
use underpin_ratelimit::{Limit, Limiter, RateLimitLayer};

use crate::{millis, secs};

/// Answers 200, and counts.
#[derive(Clone, Default)]
struct Hello {
    called: Arc<AtomicUsize>,
}

impl Service<Request<()>> for Hello {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        self.called.fetch_add(1, Relaxed);
        ready(Ok(Response::new("hello".into())))
    }
}

fn request(user: Option<&str>) -> Request<()> {
    let mut request = Request::new(());
    if let Some(user) = user {
        request.headers_mut().insert("x-user-id", user.parse().expect("a value"));
    }
    request
}

fn user(request: &Request<()>) -> Option<HeaderValue> {
    request.headers().get("x-user-id").cloned()
}

fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().expect("text")).collect()
}

#[tokio::test]
async fn above_the_limit_it_answers_429_and_passes_nothing_on() {
    let limiter = Limiter::builder(Limit::window(2, secs(10))).name("per-user").build();
    let hello = Hello::default();
    let mut service = RateLimitLayer::new(limiter, user).layer(hello.clone());
    for left in ["\"per-user\";r=1;t=10", "\"per-user\";r=0;t=10"] {
        let Ok(response) = service.call(request(Some("ada"))).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(values(response.headers(), "ratelimit-policy"), ["\"per-user\";q=2;w=10"]);
        assert_eq!(values(response.headers(), "ratelimit"), [left]);
        assert!(!response.headers().contains_key(RETRY_AFTER));
    }
    let Ok(response) = service.call(request(Some("ada"))).await;
    assert_eq!((response.status(), response.body().as_str()), (StatusCode::TOO_MANY_REQUESTS, ""));
    assert_eq!(values(response.headers(), "ratelimit"), ["\"per-user\";r=0;t=10"]);
    assert_eq!(values(response.headers(), "retry-after"), ["10"]);
    assert_eq!(hello.called.load(Relaxed), 2);

    let Ok(response) = service.call(request(Some("grace"))).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn request_without_a_key_is_not_limited() {
    let limiter = Limiter::new(Limit::window(1, secs(10)));
    let mut service = RateLimitLayer::new(limiter, user).layer(Hello::default());
    for _ in 0..5 {
        let Ok(response) = service.call(request(None)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.headers().is_empty());
    }
}

#[tokio::test]
async fn denial_is_answered_as_one_likes_and_has_the_headers() {
    let limiter = Limiter::new(Limit::window(1, secs(10)));
    let reject = |denied: &underpin_ratelimit::Denied| {
        let mut response = Response::new(denied.to_string());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("99"));
        response
    };
    let mut service =
        RateLimitLayer::new(limiter, user).reject_with(reject).layer(Hello::default());
    let Ok(_) = service.call(request(Some("ada"))).await;
    let Ok(response) = service.call(request(Some("ada"))).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.body().starts_with("rate limit 'default' is used up"));
    assert_eq!(values(response.headers(), "retry-after"), ["99"]);
    assert_eq!(values(response.headers(), "ratelimit").len(), 1);
}

#[tokio::test]
async fn each_layer_adds_lines_of_its_own() {
    let [outer, inner] = ["outer", "inner"].map(|name| {
        RateLimitLayer::new(Limiter::builder(Limit::gcra(5, secs(1))).name(name).build(), user)
    });
    let mut service = outer.layer(inner.layer(Hello::default()));
    let Ok(response) = service.call(request(Some("ada"))).await;
    assert_eq!(values(response.headers(), "ratelimit"), ["\"inner\";r=4;t=1", "\"outer\";r=4;t=1"]);
}

#[test]
fn retry_after_is_rounded_up_and_at_least_one() {
    for (passed, expected) in [(0, "10"), (1, "10"), (8_999, "2"), (9_000, "1"), (9_999, "1")] {
        let (limiter, now) = (Limiter::new(Limit::window(1, secs(10))), Instant::now());
        limiter.check_at("key", 1, now).expect("1 is allowed");
        let denied = limiter.check_at("key", 1, now + millis(passed)).expect_err("it is used up");
        let mut headers = HeaderMap::new();
        denied.add_headers(&mut headers);
        assert_eq!(values(&headers, "retry-after"), [expected], "after {passed} ms");
    }
    let limiter = Limiter::new(Limit::gcra(1, Duration::from_nanos(1)));
    let mut headers = HeaderMap::new();
    limiter.check_n("key", 2).expect_err("never").add_headers(&mut headers);
    assert!(!headers.contains_key(RETRY_AFTER), "it would be of no use");
}

#[test]
fn policy_of_a_rate_is_its_burst_in_the_time_it_takes() {
    let limiter = Limiter::new(Limit::gcra(10, secs(1)).burst(25));
    let granted = limiter.check_n("key", 5).expect("25 are allowed");
    let mut headers = HeaderMap::new();
    limiter.add_headers(&granted, &mut headers);
    assert_eq!(values(&headers, "ratelimit-policy"), ["\"default\";q=25;w=3"]);
    assert_eq!(values(&headers, "ratelimit"), ["\"default\";r=20;t=1"]);
}
