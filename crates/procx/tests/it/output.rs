//! What is kept of what it prints.

use std::time::{Duration, Instant};

use underpin_procx::{Capture, Containment, ErrorKind, Exit, cmd, containment};

use crate::script;

#[tokio::test]
async fn text_is_trimmed_and_output_is_not() {
    let echo = script("printf ' a b \\n\\n'");
    assert_eq!(echo.clone().text().await.expect("it runs"), "a b");
    assert_eq!(echo.run().await.expect("it runs").stdout.text(), " a b \n\n");
}

#[tokio::test]
async fn a_flood_on_both_streams_neither_blocks_nor_fills_memory() {
    let flood = script("head -c 20000000 /dev/zero & head -c 30000000 /dev/zero >&2; wait");
    let output = flood.run().await.expect("it ends");
    assert_eq!(
        (output.stdout.total_bytes(), output.stderr.total_bytes()),
        (20_000_000, 30_000_000)
    );
    for kept in [&output.stdout, &output.stderr] {
        assert_eq!((kept.head().len(), kept.tail().len()), (64 << 10, 192 << 10));
        assert!(kept.truncated() && kept.bytes().is_none());
        assert_eq!(kept.omitted_bytes(), kept.total_bytes() - (256 << 10));
    }
}

#[tokio::test]
async fn the_beginning_and_the_end_are_kept_exactly() {
    let count = cmd("seq").arg("1000000").run().await.expect("it ends");
    let text = count.stdout.text();
    assert!(text.starts_with("1\n2\n3\n") && text.ends_with("\n999999\n1000000\n"));
    assert!(text.contains("\n... 6.6 MB omitted ...\n"), "{:?}", text.get(65_500..65_700));
}

#[tokio::test]
async fn whole_output_is_an_error_where_it_is_not_whole() {
    let whole = cmd("seq").arg("100000").capture(Capture::whole(1 << 20)).text().await;
    assert_eq!(whole.expect("it fits").lines().count(), 100_000);
    let error = cmd("seq").arg("100000").capture(Capture::whole(1000)).text().await;
    let error = error.expect_err("it does not fit");
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert!(error.to_string().contains("printed 588.8 kB, which is more than is kept"), "{error}");
    assert_eq!(error.output().map(|output| output.stdout.head().len()), Some(1000));
}

#[tokio::test]
async fn nothing_is_kept_when_nothing_is_wanted() {
    let output = cmd("seq").arg("100000").capture(Capture::none()).run().await.expect("it ends");
    assert_eq!(output.stdout.total_bytes(), 0);
    let error = cmd("echo").arg("text").capture(Capture::none()).text().await;
    let error = error.expect_err("it was thrown away");
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert!(error.to_string().ends_with("its output is not read: capture it"), "{error}");
}

#[tokio::test]
async fn a_pipe_that_is_held_costs_a_tenth_of_a_second_and_nothing_else() {
    let begun = Instant::now();
    let output = script("sleep 3600 & echo out; echo err >&2; exit 5").output().await;
    let output = output.expect("it ends");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(output.exit, Exit::Code(5));
    assert_eq!((output.stdout.text(), output.stderr.text()), ("out\n".into(), "err\n".into()));
    assert!(output.pipe_held);
    assert_eq!(output.leftovers_killed, u32::from(containment() > Containment::Group));
    assert!(output.elapsed < Duration::from_millis(900), "{:?}", output.elapsed);
}

#[tokio::test]
async fn a_child_that_still_speaks_after_its_parent_is_heard() {
    let late = script("(for i in 1 2 3 4 5; do sleep 0.04; echo $i; done) & exit 0");
    let output = late.run().await.expect("it ends well");
    assert_eq!(output.stdout.text(), "1\n2\n3\n4\n5\n");
    assert!(!output.pipe_held);
}

#[tokio::test]
async fn a_child_that_never_stops_speaking_is_heard_for_two_seconds() {
    let begun = Instant::now();
    let output = script("yes & exit 0").run().await.expect("it ends well");
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert!(output.pipe_held && output.stdout.truncated());
}

#[tokio::test]
async fn the_deadline_ends_the_draining_too() {
    let begun = Instant::now();
    let output = script("yes & exit 0").timeout(Duration::from_millis(500)).run().await;
    assert!(begun.elapsed() < Duration::from_millis(1800), "{:?}", begun.elapsed());
    assert!(output.expect("it ended before").stdout.truncated());
}
