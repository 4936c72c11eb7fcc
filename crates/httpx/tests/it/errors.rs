//! What an operator reads, and what nobody reads.

use std::{error::Error as _, fmt::Write as _};

use underpin_httpx::Error;

use crate::{
    builder, client,
    server::{Server, Step, answer, broken, ok, status},
};

const SECRET: &str = "hunter2";

/// All that an error prints, in every way.
fn all(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?} {:?}", error.url());
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(text, " {error} {error:?}");
        source = error.source();
    }
    text
}

#[tokio::test]
async fn no_secret_is_printed() {
    let location = format!("location: http://127.0.0.1:1/?key={SECRET}\r\n");
    let scheme = format!("location: ftp://me:{SECRET}@example.com/?key={SECRET}\r\n");
    let failures = [
        vec![Step::Close],
        vec![Step::Hang],
        broken("", 10, "half"),
        status(500),
        status(404),
        ok("not JSON"),
        answer(307, &location, ""),
        answer(307, &scheme, ""),
        answer(307, &format!("location: http://[/{SECRET}\r\n"), ""),
        answer(302, &format!("location: /?key={SECRET}\r\n"), ""),
        answer(429, "retry-after: 100\r\n", ""),
    ];
    for failure in failures {
        let server = Server::new(move |_| failure.clone()).await;
        let http = builder(&server)
            .attempt_timeout(crate::millis(200))
            .redirects(2)
            .build()
            .expect("a client");
        let url = format!("http://me:{SECRET}@{}/path?key={SECRET}#{SECRET}", server.address);
        let request = || {
            http.get(&url)
                .no_retry()
                .header("x-api-key", SECRET)
                .bearer(SECRET)
                .query(&[("token", SECRET)])
        };
        assert!(!format!("{:?}", request()).contains(SECRET), "{:?}", request());
        // Some of these are answers that the body was not read of yet.
        let error = match request().json::<u8>().await {
            Err(error) => error,
            Ok(value) => panic!("{value}"),
        };
        assert!(!all(&error).contains(SECRET), "{}", all(&error));
        assert!(error.to_string().contains("/path") || error.to_string().contains('/'), "{error}");
        let paused = request().send().await;
        assert!(!paused.is_err_and(|error| all(&error).contains(SECRET)));
    }
    let http = client(&Server::new(|_| ok("")).await);
    for url in [format!("http://[{SECRET}/"), format!("ftp://me:{SECRET}@example.com/?{SECRET}")] {
        let error = http.get(url).send().await.expect_err("wrong");
        assert!(!all(&error).contains(SECRET), "{}", all(&error));
    }
    let error = http.get("x").header("a", format!("{SECRET}\n")).send().await.expect_err("wrong");
    assert!(!all(&error).contains(SECRET), "{}", all(&error));
}

#[tokio::test]
async fn a_message_says_what_happened_how_often_and_why_no_more() {
    let server = Server::new(|_| status(503)).await;
    let error = client(&server).get("users/42?q").text().await.expect_err("503");
    let elapsed = error.elapsed().as_secs_f64();
    let expected = format!(
        "GET {}users/42: 503 Service Unavailable, after 4 attempts in {elapsed:.3} s: no attempts are left",
        server.url()
    );
    assert_eq!(error.to_string(), expected);

    let server = Server::new(|_| vec![Step::Hang]).await;
    let slow = client(&server).post("x").attempt_timeout(crate::millis(50)).send().await;
    let expected = format!(
        "POST {}x: the attempt did not end in time: attempt_timeout of 0.050 s",
        server.url()
    );
    assert_eq!(slow.expect_err("it hangs").to_string(), expected);

    let error = client(&server).get("x").header("a", "\n").send().await.expect_err("wrong");
    assert_eq!(
        error.to_string(),
        format!("GET {}x: the value of a header is invalid", server.url())
    );
}

#[tokio::test]
async fn causes_can_be_looked_at() {
    let server = Server::new(|_| vec![Step::Reset]).await;
    let error = client(&server).post("x").send().await.expect_err("reset");
    let mut kinds = Vec::new();
    let mut source = error.source();
    while let Some(error) = source {
        kinds.extend(error.downcast_ref::<std::io::Error>().map(std::io::Error::kind));
        source = error.source();
    }
    assert_eq!(kinds, [std::io::ErrorKind::ConnectionReset]);
}

#[test]
fn an_error_is_a_pointer() {
    assert_eq!(size_of::<Error>(), size_of::<usize>());
}
