//! However it ends, nothing is left.

use std::time::{Duration, Instant};

use underpin_procx::{Capture, Cmd, Containment, ErrorKind, Exit, cmd, containment};

use crate::{is_alive, is_there, pid_in, script, wait_until};

const LONG: Duration = Duration::from_secs(3600);

/// A long sleep in the background, and its number in a file.
fn sleeper(prefix: &str, suffix: &str) -> (tempfile::TempDir, std::path::PathBuf, Cmd) {
    let folder = tempfile::tempdir().expect("a temp folder");
    let file = folder.path().join("pid");
    let text = format!("{prefix} sh -c 'echo $$ > \"$PID_FILE\"; exec sleep 3600' {suffix}");
    let cmd = script(&text).env("PID_FILE", &file);
    (folder, file, cmd)
}

#[test]
fn the_time_is_30_s_unless_it_is_set() {
    assert!(format!("{:?}", cmd("true")).contains("timeout: Some(30s)"));
    assert!(format!("{:?}", cmd("true").no_timeout_i_accept_hangs()).contains("timeout: None"));
}

#[tokio::test]
async fn a_timeout_is_an_error_with_the_time_and_the_end_of_both_outputs() {
    let slow = script("echo one; echo two >&2; exec sleep 3600");
    let begun = Instant::now();
    let error = slow.timeout(Duration::from_millis(300)).run().await.expect_err("it is slow");
    assert!(begun.elapsed() < Duration::from_secs(4), "SIGTERM was enough");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().ends_with(": timed out after 300 ms: two"), "{error}");
    let output = error.output().expect("it ran");
    assert_eq!((output.stdout.text(), output.stderr.text()), ("one\n".into(), "two\n".into()));
    assert_eq!(output.exit, Exit::Signal(15));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn sigterm_reaches_the_whole_group_and_is_given_its_grace() {
    // The leader ends at once; its child needs a moment, and has it.
    let text = "trap 'exit 3' TERM; sh -c 'trap \"sleep 0.2; echo saved; exit\" TERM; while :; do sleep 0.01; done' & wait";
    let error = script(text).timeout(Duration::from_millis(300)).run().await;
    let error = error.expect_err("it is slow");
    let output = error.output().expect("it ran");
    assert_eq!((output.exit, output.stdout.text()), (Exit::Code(3), "saved\n".into()));
    assert_eq!(output.leftovers_killed, 0);
}

#[tokio::test]
async fn sigkill_follows_when_sigterm_is_ignored() {
    let (_folder, file, stubborn) = sleeper("trap '' TERM;", "& wait; sleep 3600");
    let run = stubborn.timeout(Duration::from_millis(300)).grace(Duration::from_millis(200)).run();
    let begun = Instant::now();
    let error = run.await.expect_err("it is slow");
    assert!(begun.elapsed() >= Duration::from_millis(500));
    assert_eq!(error.output().map(|output| output.exit), Some(Exit::Signal(9)));
    assert!(!is_alive(pid_in(&file).await));
}

#[tokio::test]
async fn the_grace_is_5_s_unless_it_is_set() {
    let begun = Instant::now();
    let stubborn = script("trap '' TERM; while :; do sleep 1; done");
    let error = stubborn.timeout(Duration::from_millis(300)).run().await.expect_err("it is slow");
    assert_eq!(error.output().map(|output| output.exit), Some(Exit::Signal(9)));
    assert!((5300..8000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn one_that_has_stopped_itself_is_ended_too() {
    let stopped = script("kill -STOP $$; sleep 3600").timeout(Duration::from_millis(200));
    let error = stopped.run().await.expect_err("it does nothing");
    let exit = error.output().map(|output| output.exit);
    assert_eq!(exit, Some(Exit::Signal(15)), "it was woken for SIGTERM");
}

#[tokio::test]
async fn what_is_left_behind_after_a_good_end_is_killed() {
    let (_folder, file, cmd) =
        sleeper("", "> /dev/null 2>&1 & while ! test -s \"$PID_FILE\"; do :; done");
    let output = cmd.run().await.expect("it ends well");
    let seen = u32::from(containment() > Containment::Group);
    assert_eq!((output.leftovers_killed, output.pipe_held), (seen, false));
    let pid = pid_in(&file).await;
    if seen == 0 {
        wait_until("it is gone", || !is_alive(pid)).await;
    }
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn what_is_left_behind_may_stay_when_asked_for() {
    let (_folder, file, cmd) =
        sleeper("", "> /dev/null 2>&1 & while ! test -s \"$PID_FILE\"; do :; done");
    let output = cmd.leave_background().run().await.expect("it ends well");
    let pid = pid_in(&file).await;
    assert_eq!(output.leftovers_killed, 0);
    assert!(is_alive(pid));
    let killed = underpin_procx::cmd("kill").args(["-9", &pid.to_string()]).run().await;
    killed.expect("it is ours");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_in_a_session_of_its_own_is_found() {
    let (_folder, file, cmd) = sleeper("setsid", "> /dev/null 2>&1 & sleep 3600");
    let child = cmd.spawn().await.expect("it starts");
    assert!(child.containment() >= Containment::Sweep);
    let pid = pid_in(&file).await;
    drop(child);
    wait_until("it is gone", || !is_alive(pid)).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_that_forked_twice_into_a_session_of_its_own_is_found() {
    let (_folder, file, cmd) =
        sleeper("(setsid", "> /dev/null 2>&1 &); while ! test -s \"$PID_FILE\"; do :; done");
    let output = cmd.run().await.expect("it ends well");
    assert_eq!(output.leftovers_killed, 1);
    assert!(!is_alive(pid_in(&file).await));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn in_a_cgroup_nothing_escapes() {
    if containment() < Containment::Cgroup {
        return;
    }
    // Without its mark, its group, its session and its parent.
    let (_folder, file, cmd) = sleeper(
        "(setsid env -u PROCX_TREE",
        "> /dev/null 2>&1 &); while ! test -s \"$PID_FILE\"; do :; done",
    );
    let output = cmd.min_containment(Containment::Cgroup).run().await.expect("it ends well");
    assert_eq!(output.leftovers_killed, 1);
    assert!(!is_alive(pid_in(&file).await));
}

#[tokio::test]
async fn dropping_the_future_kills_at_once_and_reaps() {
    let (_folder, file, cmd) = sleeper("trap '' TERM;", "& wait");
    let run = tokio::spawn(cmd.timeout(LONG).run());
    let pid = pid_in(&file).await;
    run.abort();
    wait_until("it is gone", || !is_there(pid)).await;
}

#[tokio::test]
async fn dropping_the_future_before_it_has_started_starts_nothing_that_stays() {
    let folder = tempfile::tempdir().expect("a temp folder");
    for round in 0..20 {
        let file = folder.path().join(round.to_string());
        let cmd = script("echo $$ > \"$PID_FILE\"; exec sleep 3600").env("PID_FILE", &file);
        let run = cmd.timeout(LONG).run();
        // A poll, or two, or three: up to the answer of the engine.
        let _ = tokio::time::timeout(Duration::from_micros(round * 100), run).await;
        // It may have been killed before it has written its number.
        let pid = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
        if let Some(pid) = pid {
            wait_until("it is gone", || !is_alive(pid)).await;
        }
    }
}

#[test]
fn a_child_outlives_neither_its_runtime_nor_a_panic() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (_folder, file, cmd) = sleeper("", "");
    let first = runtime().expect("a runtime");
    let child = first.block_on(cmd.timeout(LONG).spawn()).expect("it starts");
    let pid = first.block_on(pid_in(&file));
    drop(first);
    assert!(is_alive(pid));
    // No runtime is left.
    drop(child);

    let second = runtime().expect("a runtime");
    second.block_on(wait_until("it is gone", || !is_there(pid)));
    let (_folder, file, cmd) = sleeper("", "");
    let pid = second.block_on(async move {
        let child = cmd.timeout(LONG).spawn().await.expect("it starts");
        let pid = pid_in(&file).await;
        let panicked = tokio::spawn(async move {
            let _child = child;
            panic!("on purpose");
        });
        assert!(panicked.await.is_err());
        pid
    });
    second.block_on(wait_until("it is gone", || !is_there(pid)));
}

#[tokio::test]
async fn a_stop_is_polite_first() {
    let polite = script("trap 'echo bye; exit 4' TERM; echo ready; while :; do sleep 0.01; done");
    let mut child = polite.timeout(LONG).spawn().await.expect("it starts");
    let mut lines = child.lines();
    let first = lines.next().await.expect("in time").expect("a line");
    assert_eq!(first.line(), "ready");
    let output = child.stop().await.expect("it ends");
    assert_eq!((output.exit, output.stdout.text()), (Exit::Code(4), "ready\nbye\n".into()));
    assert_eq!(child.wait().await.expect("once more").exit, Exit::Code(4));
    assert!(child.signal(15).is_err(), "its number may be another's by now");
}

#[tokio::test]
async fn a_signal_reaches_it() {
    let waiting = script("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
    let mut child = waiting.timeout(LONG).spawn().await.expect("it starts");
    child.lines().next().await.expect("in time").expect("a line");
    child.signal(15).expect("it runs");
    assert_eq!(child.wait().await.expect("it ends").exit, Exit::Code(7));
    assert!(child.signal(12345).is_err());
}

#[tokio::test]
async fn waiting_can_be_cancelled_and_loses_nothing() {
    let mut child = script("echo one; sleep 0.2; echo two").spawn().await.expect("it starts");
    for _ in 0..10 {
        let wait = tokio::time::timeout(Duration::from_millis(5), child.wait());
        assert!(wait.await.is_err(), "it takes longer");
    }
    assert_eq!(child.wait().await.expect("it ends").stdout.text(), "one\ntwo\n");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_tree_inside_of_a_tree_ends_with_it() {
    // What a program does that is itself started by this crate, and starts others by it.
    let (_folder, file, cmd) = sleeper(
        "PROCX_TREE=\"$PROCX_TREE:0123\"; export PROCX_TREE; (setsid",
        "> /dev/null 2>&1 &); while ! test -s \"$PID_FILE\"; do :; done",
    );
    assert_eq!(cmd.run().await.expect("it ends well").leftovers_killed, 1);
    assert!(!is_alive(pid_in(&file).await));
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_the_runtime_does_not_end_children() {
    let output = cmd("sleep").arg("0.3").timeout(Duration::from_secs(20)).run().await;
    assert!(output.expect("it is in time").elapsed >= Duration::from_millis(300));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_that_has_left_the_group_is_asked_as_well() {
    let folder = tempfile::tempdir().expect("a temp folder");
    let file = folder.path().join("said");
    let text = "setsid sh -c 'trap \"echo bye > $SAID; exit\" TERM; echo ready; while :; do sleep 0.01; done' & wait";
    let mut child = script(text).env("SAID", &file).timeout(LONG).spawn().await.expect("it starts");
    child.lines().next().await.expect("in time").expect("it is ready");
    let begun = Instant::now();
    let output = child.stop().await.expect("it ends");
    assert!(begun.elapsed() < Duration::from_secs(4), "nobody needed the whole grace");
    assert_eq!(output.leftovers_killed, 0);
    assert_eq!(std::fs::read_to_string(&file).expect("it was asked"), "bye\n");
}

#[tokio::test]
async fn the_longest_times_there_are_harm_nobody() {
    for longest in [Duration::MAX, Duration::from_secs(1 << 40)] {
        let polite = cmd("sleep").arg("3600").timeout(Duration::from_millis(50)).grace(longest);
        let error = polite.run().await.expect_err("it is slow");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        let mut child = cmd("sleep").arg("3600").timeout(longest).spawn().await.expect("it starts");
        assert_eq!(child.stop().await.expect("it ends").exit, Exit::Signal(15));
    }
    cmd("true").run().await.expect("others are not concerned");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_child_is_not_deaf_because_its_owner_is() {
    if std::env::var_os("DEAF").is_some() {
        let begun = Instant::now();
        let slow = cmd("sleep").arg("3600").timeout(Duration::from_millis(50)).run().await;
        let exit = slow.expect_err("it is slow").output().map(|output| output.exit);
        assert_eq!(exit, Some(Exit::Signal(15)));
        assert!(begun.elapsed() < Duration::from_secs(4), "it did not need its grace");
        return;
    }
    // This test once more, in a process that ignores SIGTERM.
    let test = std::env::current_exe().expect("a program has a path");
    let deaf = script(
        "trap '' TERM; exec \"$0\" --exact ending::a_child_is_not_deaf_because_its_owner_is",
    );
    deaf.arg(test).env("DEAF", "1").run().await.expect("it passes there");
}

/// Everything that can be had, until this is dropped.
#[cfg(target_os = "linux")]
fn all_descriptors() -> Vec<std::fs::File> {
    std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_is_overlooked_for_want_of_descriptors() {
    if std::env::var_os("FEW").is_none() {
        // This test once more, alone, where there are few of them.
        let test = std::env::current_exe().expect("a program has a path");
        let few = script(
            "ulimit -n 40; exec \"$0\" --exact ending::nothing_is_overlooked_for_want_of_descriptors",
        );
        few.arg(test).env("FEW", "1").run().await.expect("it passes there");
        return;
    }
    let (_folder, file, cmd) = sleeper("setsid", "> /dev/null 2>&1 & wait");
    // No pipe of ours is closed on the way, and gives its descriptor back.
    let cmd = cmd.capture(Capture::none()).grace(Duration::from_millis(200));
    let mut child = cmd.clone().spawn().await.expect("it starts");
    let pid = pid_in(&file).await;
    let held = all_descriptors();
    let (output, ()) = tokio::join!(child.stop(), async {
        tokio::time::sleep(Duration::from_millis(100)).await; // sleep-ok: long enough to look in vain
        drop(held);
    });
    output.expect("it could be seen in the end");
    assert!(!is_alive(pid));

    let _ = std::fs::remove_file(&file);
    let mut child = cmd.spawn().await.expect("it starts");
    let pid = pid_in(&file).await;
    let held = all_descriptors();
    let error = child.stop().await.expect_err("there was no way to look");
    drop(held);
    assert_eq!(error.kind(), ErrorKind::Escaped);
    assert!(error.to_string().ends_with("nobody can tell whether processes of it are left"));
    let kill = underpin_procx::cmd("kill").args(["-9", &pid.to_string()]).run().await;
    kill.expect("it is left, and ours");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_end_that_nobody_kept_is_an_error_and_nothing_is_left() {
    if std::env::var_os("CARELESS").is_some() {
        let error = script("exit 3").run().await.expect_err("its code is lost");
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("is SIGCHLD ignored"), "{error}");
        let (_folder, file, cmd) =
            sleeper("", "> /dev/null 2>&1 & while ! test -s \"$PID_FILE\"; do :; done");
        cmd.run().await.expect_err("its code is lost");
        let pid = pid_in(&file).await;
        wait_until("what it left is gone", || !is_alive(pid)).await;
        return;
    }
    // This test once more, in a process whose children are reaped by nobody.
    let name = "ending::an_end_that_nobody_kept_is_an_error_and_nothing_is_left";
    let test = std::env::current_exe().expect("a program has a path");
    let careless = cmd("env").arg("--ignore-signal=CHLD").arg(test).args(["--exact", name]);
    careless.env("CARELESS", "1").run().await.expect("it passes there");
}
