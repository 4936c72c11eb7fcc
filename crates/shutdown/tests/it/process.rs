//! A service in a process of its own, which is this program again.

use std::{
    any::type_name_of_val,
    env,
    io::{self, Write as _},
    process::Command,
    time::Duration,
};

use testkit::{Child, Output};
use underpin_shutdown::{App, Plan, Report};

/// Tells the process that it is the child.
const CHILD: &str = "UNDERPIN_SHUTDOWN_TEST_CHILD";

/// Far more than any budget here: a process that needs it is one that the deadline did not end.
const TOO_LONG: Duration = Duration::from_secs(20);

/// A budget of 2 s.
pub(crate) const PLAN: Plan = Plan::new()
    .budget(Duration::from_secs(2))
    .cancel_window(Duration::from_millis(100))
    .cleanup_reserve(Duration::from_millis(500));

/// Starts the service in a child, and there is its `main`. The test goes on as the parent.
#[track_caller]
pub(crate) fn start<F: FnOnce() -> Report>(main: F) -> Child {
    Child::spawn(command(main), TOO_LONG)
}

/// How to start it, for those who need streams of their own.
pub(crate) fn command<F: FnOnce() -> Report>(main: F) -> Command {
    if env::var_os(CHILD).is_some() {
        let report = main();
        exit(&report);
    }
    // `it::<module>::<test>::{{closure}}`
    let path = type_name_of_val(&main).trim_end_matches("::{{closure}}");
    let test = path.trim_start_matches("it::");
    let mut command = Command::new(env::current_exe().expect("a test knows its own program"));
    // One thread, so that libtest runs the test on the main thread; no capture, for the streams are part of the test.
    command.args([test, "--exact", "--nocapture", "--quiet", "--test-threads=1"]).env(CHILD, "1");
    command.env_remove("KUBERNETES_SERVICE_HOST").env_remove("RUST_BACKTRACE");
    command
}

#[expect(clippy::exit, reason = "as when `main` returns; libtest would say that the test passed")]
fn exit(report: &Report) -> ! {
    std::process::exit(i32::from(report.exit_code()))
}

pub(crate) fn app() -> App {
    App::new("orders").plan(PLAN)
}

/// A line for the parent.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Starts, waits until the child says that it is ready, terminates it and waits for its end.
#[track_caller]
pub(crate) fn terminate<F: FnOnce() -> Report>(main: F) -> Output {
    let child = start(main);
    child.wait_for_line("ready");
    child.terminate();
    child.finish()
}

#[track_caller]
pub(crate) fn assert_exit(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}\n{}", output.stdout, output.stderr);
}
