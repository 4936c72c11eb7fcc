//! A test that cannot run is named, or fails where it had to run.

use std::{
    env,
    process::{Command, Output},
};

const INNER: &str = "TESTKIT_RUNS_THE_INNER_TEST";

/// What the tests below run in a process of its own, with an environment of its own.
#[test]
fn inner() {
    if env::var_os(INNER).is_some() {
        let _ = testkit::or_skip!(testkit::program("no-such-program"));
    }
}

fn run_inner(variables: &[(&str, &str)]) -> Output {
    let mut test = Command::new(env::current_exe().expect("a running program has a path"));
    test.args(["--exact", "skip::inner"])
        .env(INNER, "1")
        .env_remove("CI")
        .env_remove("UNDERPIN_FULL")
        .envs(variables.iter().copied())
        .output()
        .expect("this very program starts")
}

#[test]
fn missing_program_is_named_and_the_test_passes() {
    let output = run_inner(&[]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let line = "skipped: skip::inner: no no-such-program (`cargo xtask setup` installs it)\n";
    assert!(output.status.success() && stdout.contains(line), "{stdout}");
}

#[test]
fn missing_program_fails_where_everything_has_to_run() {
    for variable in [("CI", "true"), ("UNDERPIN_FULL", "1")] {
        let output = run_inner(&[variable]);
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success(), "{variable:?}: {stdout}");
        assert!(stdout.contains("skip::inner cannot run: no no-such-program"), "{stdout}");
    }
}
