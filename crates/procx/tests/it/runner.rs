//! Tests of users, without the programs.

use underpin_procx::{Error, ErrorKind, Recording, Reply, Runner, Scripted, System, cmd};

async fn release(runner: &dyn Runner, token: &str) -> Result<String, Error> {
    runner.run(cmd("git").args(["tag", "v1"])).await?;
    let pushed = runner.run(cmd("git").arg("push").secret(token)).await?;
    Ok(pushed.stdout.text().into_owned())
}

#[tokio::test]
async fn a_script_answers_and_what_was_asked_is_kept() {
    let script = Scripted::new().on("git", ["tag"], Reply::ok("")).on(
        "git",
        ["push"],
        Reply::ok("done with hunter2\n"),
    );
    let git = Recording::new(script);
    // The same masks as on real output.
    assert_eq!(release(&git, "hunter2").await.expect("both answer"), "done with ***\n");
    assert_eq!(git.commands(), ["git tag v1", "git push ***"]);
}

#[tokio::test]
async fn a_script_fails_as_the_system_does() {
    let git = Scripted::new().on("git", ["tag"], Reply::exit(128, "fatal: exists\n"));
    let error = release(&git, "token").await.expect_err("it fails");
    assert_eq!(error.kind(), ErrorKind::Exit(128));
    assert_eq!(error.to_string(), "git tag v1: exit 128 after 0 ms: fatal: exists");

    let error = release(&Scripted::new(), "token").await.expect_err("nothing is known");
    assert_eq!(error.kind(), ErrorKind::NotFound);

    let git = Scripted::new().on("git", [], Reply::timed_out());
    let error = release(&git, "token").await.expect_err("it hangs");
    assert_eq!(error.to_string(), "git tag v1: timed out after 30 s");
}

#[tokio::test]
async fn the_system_runs_them() {
    let output = System.run(cmd("echo").arg("real")).await.expect("it runs");
    assert_eq!(output.stdout.text(), "real\n");
    assert_eq!(System.run(cmd("false")).await.expect_err("it fails").kind(), ErrorKind::Exit(1));
}

#[test]
fn no_runtime_is_needed_to_wait_in_place() {
    let output = cmd("echo").arg("blocking").run_blocking().expect("it runs");
    assert_eq!(output.stdout.text(), "blocking\n");
    let error = cmd("false").run_blocking().expect_err("it fails");
    assert_eq!(error.kind(), ErrorKind::Exit(1));
}

#[cfg(feature = "json")]
#[tokio::test]
async fn json_is_read_whole_or_not_at_all() {
    let list: Vec<u32> = cmd("echo").arg("[1, 2, 3]").json().await.expect("it is JSON");
    assert_eq!(list, [1, 2, 3]);
    let error = cmd("echo").arg("[1, 2").json::<Vec<u32>>().await.expect_err("it is none");
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(std::error::Error::source(&error).is_some());
    let error = cmd("seq").arg("100000").json::<u32>().await.expect_err("it is cut");
    assert_eq!(error.kind(), ErrorKind::Truncated);
    let piped: u32 = cmd("echo").arg("7").pipe(cmd("cat")).json().await.expect("it is JSON");
    assert_eq!(piped, 7);
}
