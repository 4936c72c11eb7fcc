//! Commands that are connected.

use std::time::{Duration, Instant};

use underpin_procx::{ErrorKind, cmd};

use crate::{is_alive, script, wait_until};

#[tokio::test]
async fn what_one_prints_the_next_one_reads() {
    let sorted =
        cmd("printf").arg("c\na\nb\n").pipe(cmd("sort")).pipe(cmd("head").args(["-n", "2"]));
    assert_eq!(sorted.text().await.expect("it runs"), "a\nb");
}

#[tokio::test]
async fn the_first_that_fails_is_the_error() {
    let failing = script("echo early >&2; exit 3").pipe(script("cat; exit 4")).pipe(cmd("cat"));
    let error = failing.run().await.expect_err("two fail");
    assert_eq!(error.kind(), ErrorKind::Exit(3));
    assert!(error.to_string().ends_with(": early"), "{error}");
}

#[tokio::test]
async fn one_that_is_not_read_to_its_end_has_not_failed() {
    let first = cmd("yes").pipe(cmd("head").args(["-n", "1"])).text().await;
    assert_eq!(first.expect("SIGPIPE is how it ends"), "y");
    let last = cmd("true").pipe(script("kill -PIPE $$")).run().await;
    assert_eq!(last.expect_err("nobody stopped reading").kind(), ErrorKind::Signal(13));
}

#[tokio::test]
async fn one_that_cannot_be_started_ends_the_others() {
    let folder = tempfile::tempdir().expect("a temp folder");
    let file = folder.path().join("pid");
    let first = script("echo $$ > \"$PID_FILE\"; exec sleep 3600").env("PID_FILE", &file);
    let error = first.pipe(cmd("no-such-program")).run().await.expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // It may have been killed before it has written its number.
    let pid = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
    if let Some(pid) = pid {
        wait_until("it is gone", || !is_alive(pid)).await;
    }
}

#[tokio::test]
async fn all_have_one_deadline() {
    let begun = Instant::now();
    let slow = cmd("sleep").arg("3600").pipe(cmd("sleep").arg("3600")).pipe(cmd("cat"));
    let error = slow.timeout(Duration::from_millis(300)).run().await.expect_err("it is slow");
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().starts_with("sleep 3600: timed out after 300 ms"), "{error}");
}
