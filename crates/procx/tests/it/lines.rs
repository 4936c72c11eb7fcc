//! Output by the line.

use std::time::Duration;

use underpin_procx::{ErrorKind, Event, Exit, cmd};

use crate::{script, wait_until};

#[tokio::test]
async fn both_streams_are_told_apart_while_it_runs() {
    let mut child = script("echo out; echo err >&2; read answer; echo \"got $answer\"")
        .stdin(underpin_procx::Stdin::piped())
        .spawn()
        .await
        .expect("it starts");
    let mut stdin = child.stdin().expect("it is piped");
    assert!(child.stdin().is_none(), "only once");
    let mut lines = child.lines();
    let mut first = Vec::new();
    for _ in 0..2 {
        first.push(lines.next().await.expect("in time").expect("a line"));
    }
    assert!(first.contains(&Event::Stdout("out".into())), "{first:?}");
    assert!(first.contains(&Event::Stderr("err".into())), "{first:?}");

    // It is still running: it waits for this.
    tokio::io::AsyncWriteExt::write_all(&mut stdin, b"42\n").await.expect("it reads");
    assert_eq!(lines.next().await.expect("in time"), Some(Event::Stdout("got 42".into())));
    assert_eq!(lines.next().await.expect("in time"), None);
    assert_eq!(lines.next().await.expect("in time"), None, "and again");
    let output = child.wait().await.expect("it ended");
    assert_eq!(output.exit, Exit::Code(0));
    assert_eq!(output.stdout.text(), "out\ngot 42\n");
}

#[tokio::test]
async fn a_slow_reader_slows_it_down() {
    let folder = tempfile::tempdir().expect("a temp folder");
    let count = folder.path().join("count");
    // It notes how many lines it has written.
    let text = "i=0; while :; do echo \"$i 0123456789012345678901234567890123456789\"; i=$((i+1)); echo $i > \"$COUNT\"; done";
    let mut child = script(text).env("COUNT", &count).spawn().await.expect("it starts");
    let mut lines = child.lines();
    lines.next().await.expect("in time").expect("a line");
    // The file is empty for a moment, whenever it is written.
    let written = || std::fs::read_to_string(&count).ok()?.trim().parse::<usize>().ok();
    let mut before = None;
    let halted = loop {
        tokio::time::sleep(Duration::from_millis(100)).await; // sleep-ok: until it has come to a halt
        match written() {
            Some(now) if before == Some(now) => break now,
            now => before = now,
        }
    };
    // A pipe and a chunk hold 64 KiB each, and a line has 44 bytes or more.
    assert!(halted < 3200, "{halted} lines are out");
    for _ in 0..halted + 100 {
        lines.next().await.expect("in time").expect("a line");
    }
    wait_until("it goes on", || written().is_some_and(|now| now > halted)).await;
}

#[tokio::test]
async fn the_end_of_its_time_is_an_error_after_the_last_line() {
    let slow = script("echo first; exec sleep 3600").timeout(Duration::from_millis(300));
    let mut child = slow.spawn().await.expect("it starts");
    let mut lines = child.lines();
    assert_eq!(lines.next().await.expect("in time"), Some(Event::Stdout("first".into())));
    let error = lines.next().await.expect_err("it is too late");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let error = child.wait().await.expect_err("still");
    assert_eq!(error.output().map(|output| output.stdout.text()), Some("first\n".into()));
}

#[tokio::test]
async fn a_line_without_an_end_is_a_line() {
    let mut child = cmd("printf").arg("one\ntwo").spawn().await.expect("it starts");
    let mut lines = child.lines();
    let mut found = Vec::new();
    while let Some(event) = lines.next().await.expect("in time") {
        found.push(event.line().to_owned());
    }
    assert_eq!(found, ["one", "two"]);
}

#[tokio::test]
async fn lines_can_be_left_and_taken_up_again() {
    let mut child = cmd("seq").arg("10000").spawn().await.expect("it starts");
    for number in 1..=10_000 {
        let event = child.lines().next().await.expect("in time").expect("a line");
        assert_eq!(event, Event::Stdout(number.to_string()));
    }
}
