//! How many orders a user may place, in what time.

use testkit::{or_skip, program, run};

use super::{
    PATIENCE, folder,
    http::{ORDER, get, post},
    orders, serve,
    stub::Stub,
};

#[test]
fn a_user_is_limited_and_told_how_far_and_nobody_else_is() {
    let stub = Stub::start();
    let dir = folder();
    let mut command = orders(&dir);
    command.env("RATE_LIMIT", "3/1h").env("PAYMENT_URL", format!("http://127.0.0.1:{}", stub.port));
    let (_child, port) = serve(command);
    let ann = ["x-user-id: ann"];
    for left in [2, 1, 0] {
        // What is wrong in itself does not count.
        assert_eq!(post(port, &ann, "{}").status, 400);
        let answer = post(port, &ann, ORDER);
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(
            answer.header("ratelimit-policy"),
            Some(r#""per-user";q=3;w=3600"#),
            "{answer:?}"
        );
        let state = format!(r#""per-user";r={left};t=3600"#);
        assert_eq!(answer.header("ratelimit"), Some(state.as_str()), "{answer:?}");
    }
    let refused = post(port, &ann, ORDER);
    assert_eq!((refused.status, refused.code().as_str()), (429, "RATE_LIMITED"));
    let seconds = refused.header("retry-after").and_then(|text| text.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| (3590..=3600).contains(&seconds)), "{refused:?}");
    assert_eq!(refused.head.matches("retry-after").count(), 1, "{refused:?}");
    assert!(refused.header("ratelimit").is_some_and(|state| state.contains("r=0")), "{refused:?}");
    assert_eq!(stub.count("requests"), 3, "who is refused does not pay");
    assert_eq!(get(port, "/orders").status, 200, "who reads is not limited");
    for other in [&["x-user-id: bob"][..], &[]] {
        assert_eq!(post(port, other, ORDER).status, 201);
    }
}

#[test]
fn curl_reads_the_headers_and_does_as_they_say() {
    let curl = or_skip!(program("curl"));
    let dir = folder();
    let mut command = orders(&dir);
    command.env("RATE_LIMIT", "1/2s");
    let (_child, port) = serve(command);
    let place = |more: &[&str]| {
        let mut command = curl.command();
        command.args(["--silent", "--include", "--max-time", "15", "--data", ORDER]);
        command.args(["--header", "content-type: application/json"]).args(more);
        command.arg(format!("http://127.0.0.1:{port}/orders"));
        run(command, PATIENCE).stdout
    };
    let granted = place(&[]);
    assert!(
        granted.starts_with("HTTP/1.1 201 ")
            && granted.contains("\r\nratelimit: \"per-user\";r=0;t=2\r\n"),
        "{granted}"
    );
    let refused = place(&[]);
    assert!(
        refused.starts_with("HTTP/1.1 429 ") && refused.contains("\r\nretry-after: "),
        "{refused}"
    );
    // It waits as long as `Retry-After` says.
    let patient = place(&["--retry", "1"]);
    assert!(patient.contains("HTTP/1.1 201 "), "{patient}");
}
