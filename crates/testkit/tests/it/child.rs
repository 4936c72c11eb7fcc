//! A child always ends, and what it printed is there.

use std::{
    panic::catch_unwind,
    process::Command,
    time::{Duration, Instant},
};

use testkit::{Child, run};

const SOON: Duration = Duration::from_secs(10);

fn script(text: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(text);
    command
}

#[test]
fn output_has_both_streams_and_the_status() {
    let output = run(script("echo out; echo err >&2; exit 3"), SOON);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn megabytes_of_output_do_not_block_the_child() {
    let output = run(script("head -c 9000000 /dev/zero"), SOON);
    assert!(output.status.success());
    assert_eq!(output.stdout.len(), 4 << 20);
}

#[test]
fn deadline_kills_and_the_message_has_what_was_printed() {
    let begun = Instant::now();
    let panic = catch_unwind(|| {
        run(script("echo started; exec tail -f /dev/null"), Duration::from_millis(300))
    });
    let message = *panic
        .expect_err("the script never ends")
        .downcast::<String>()
        .expect("a formatted message");
    assert!(message.contains("still running") && message.contains("started"), "{message}");
    assert!(begun.elapsed() < SOON);
}

#[test]
fn what_the_child_leaves_in_its_group_ends_with_it() {
    let begun = Instant::now();
    let output = run(script("tail -f /dev/null & echo $!"), SOON);
    assert!(output.status.success());
    // The background process held standard output open: had it survived, the wait for that would have lasted 2 s.
    assert!(begun.elapsed() < Duration::from_secs(2), "the background process survived");
}

#[test]
fn drop_kills() {
    let child = Child::spawn(script("echo up; exec tail -f /dev/null"), SOON);
    child.wait_for_line("up");
    let pid = child.pid().to_string();
    drop(child);
    let mut probe = Command::new("kill");
    probe.args(["-0", &pid]);
    assert!(!run(probe, SOON).status.success(), "process {pid} is still there");
}

#[test]
fn line_printed_before_the_wait_is_found() {
    let child =
        Child::spawn(script("echo one; echo listening on 1234; exec tail -f /dev/null"), SOON);
    assert_eq!(child.wait_for_line("listening"), "listening on 1234");
    assert_eq!(child.wait_for_line("one"), "one");
}

#[test]
fn wait_for_a_line_that_cannot_come_ends_at_once() {
    let begun = Instant::now();
    let panic =
        catch_unwind(|| Child::spawn(script("echo nothing else"), SOON).wait_for_line("listening"));
    assert!(panic.is_err());
    assert!(begun.elapsed() < SOON / 2);
}

#[test]
fn terminate_lets_the_child_clean_up() {
    // `wait` instead of a plain sleep: a shell runs a trap only between commands.
    let child = Child::spawn(
        script("trap 'echo bye; exit 0' TERM; tail -f /dev/null & echo up; wait"),
        SOON,
    );
    child.wait_for_line("up");
    child.terminate();
    let output = child.finish();
    assert_eq!((output.stdout.as_str(), output.status.code()), ("up\nbye\n", Some(0)));
}
