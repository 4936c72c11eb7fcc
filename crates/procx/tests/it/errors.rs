//! What an error says, and what it does not.

use underpin_procx::{Capture, Error, ErrorKind, cmd};

use crate::script;

#[test]
fn errors_travel() {
    fn travels<T: std::error::Error + Send + Sync + 'static>() {}
    travels::<Error>();
    assert!(size_of::<Error>() == size_of::<usize>());
}

#[tokio::test]
async fn a_failure_names_the_command_the_code_and_the_last_line() {
    let failing = script("echo usage >&2; echo 'fatal: no such ref' >&2; echo >&2; exit 128");
    let error = failing.run().await.expect_err("it fails");
    assert_eq!(error.kind(), ErrorKind::Exit(128));
    let text = error.to_string();
    assert!(text.starts_with("sh -c echo usage"), "{text}");
    assert!(text.contains(": exit 128 after "), "{text}");
    assert!(text.ends_with(" ms: fatal: no such ref"), "{text}");
    assert_eq!(text.lines().count(), 1);
    assert_eq!(
        error.command(),
        "sh -c echo usage >&2; echo 'fatal: no such ref' >&2; echo >&2; exit 128"
    );
}

#[tokio::test]
async fn a_signal_is_named() {
    let error = script("kill -SEGV $$").run().await.expect_err("it is killed");
    assert_eq!(error.kind(), ErrorKind::Signal(11));
    assert!(error.to_string().contains(": killed by SIGSEGV after "), "{error}");
}

#[tokio::test]
async fn codes_can_be_good() {
    let grep = cmd("grep").args(["-q", "needle", "/dev/null"]);
    assert_eq!(grep.clone().run().await.expect_err("no needle").kind(), ErrorKind::Exit(1));
    grep.clone().ok_codes([0, 1]).run().await.expect("1 is fine");
    grep.output().await.expect("whatever the code");
}

#[tokio::test]
async fn secrets_are_in_no_text() {
    let leaky = script("echo \"$1\"; echo \"$2 $TOKEN\" >&2; exit 1")
        .arg("sh")
        .secret("hunter2-password")
        .arg("https://user:letmein@host/")
        .redact("letmein")
        .env("TOKEN", "tok_12345")
        .redact("tok_12345");
    let error = leaky.clone().run().await.expect_err("it fails");
    let all = format!("{error} {error:?} {leaky} {leaky:?} {:?}", error.output());
    for secret in ["hunter2", "letmein", "tok_12345"] {
        assert!(!all.contains(secret), "{all}");
    }
    assert!(error.to_string().ends_with("https://user:***@host/ ***"), "{error}");

    let mut child = leaky.spawn().await.expect("it starts");
    let mut lines = child.lines();
    while let Some(event) = lines.next().await.expect("in time") {
        assert!(event.line().contains("***"), "{event:?}");
    }
}

#[tokio::test]
async fn secrets_are_masked_where_the_output_is_cut() {
    let secret = "0123456789abcdef";
    let text = format!("printf '%s' {}", secret.repeat(8));
    for head in 0..40 {
        let output = script(&text).redact(secret).capture(Capture::ends(head, 37)).run().await;
        let output = output.expect("it runs");
        assert_eq!(output.stdout.omitted_bytes(), 128 - 37 - head as u64);
        let shown = [output.stdout.head(), output.stdout.tail()].concat();
        assert!(shown.iter().all(|byte| *byte == b'*'), "{:?}", String::from_utf8_lossy(&shown));
    }
}

#[tokio::test]
async fn a_long_command_is_cut_and_stays_on_its_line() {
    let error = cmd("false").arg("a\nb").arg("x".repeat(1000)).run().await;
    let error = error.expect_err("it fails");
    assert!(error.command().starts_with("false a b xxx") && error.command().ends_with('…'));
    assert!(error.to_string().len() < 300, "{error}");
}

#[tokio::test]
async fn secrets_are_masked_whatever_they_are_part_of() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

    let odd = OsStr::from_bytes(b"pass\xffword");
    let cmd = cmd("/no/hunter22").arg(odd).cwd("/no/letmein").redact("hunter22");
    let cmd = cmd.redact("letmein").redact(odd.as_bytes());
    let error = cmd.clone().run().await.expect_err("there is no such thing");
    let all = format!("{cmd} {cmd:?} {error} {error:?}");
    for secret in ["hunter22", "letmein", "word"] {
        assert!(!all.contains(secret), "{all}");
    }
}
