//! The whole process: it stops when it is told to, in order and in time, whatever hangs in it.

use std::{
    env, fs,
    future::pending,
    io::{self, Read as _, Write as _},
    os::unix::process::ExitStatusExt as _,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, getpid, kill_process};
use tokio::{runtime::Builder, time::sleep};
use underpin_shutdown::{Phase, Plan, Reason, Shutdown, Signals};

use crate::process::{app, assert_exit, command, say, start, terminate};

/// Never returns, and holds its thread.
fn block() {
    let (_keep, blocked) = mpsc::channel::<()>();
    let _ = blocked.recv();
}

async fn until_draining(shutdown: Shutdown) {
    say("ready");
    shutdown.at(Phase::Draining).await;
}

#[test]
fn sigterm_stops_in_order_and_exits_with_0() {
    let output = terminate(|| {
        app().run(|shutdown| async move {
            shutdown.defer("telemetry", |_| async { say("telemetry closed") });
            shutdown.defer("postgres", |_| async { say("postgres closed") });
            until_draining(shutdown).await;
            say("main ends");
        })
    });
    assert_exit(&output, 0);
    let lines: Vec<_> = output.stdout.lines().filter(|line| line.contains(' ')).collect();
    assert!(
        lines.join("|").contains("main ends|postgres closed|telemetry closed"),
        "{}",
        output.stdout
    );
    assert!(output.stderr.contains("orders shutdown: SIGTERM;"), "{}", output.stderr);
    assert!(output.stderr.contains("exit code 0"), "{}", output.stderr);
}

#[test]
fn sigint_stops_as_well() {
    let child = start(|| app().run(until_draining));
    child.wait_for_line("ready");
    let pid = i32::try_from(child.pid()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::INT).expect("it runs");
    let output = child.finish();
    assert_exit(&output, 0);
    assert!(output.stderr.contains("orders shutdown: SIGINT;"), "{}", output.stderr);
}

/// A reload, if there is one, is the service's own affair.
#[test]
fn sighup_keeps_its_default_action() {
    let child = start(|| app().run(until_draining));
    child.wait_for_line("ready");
    let pid = i32::try_from(child.pid()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::HUP).expect("it runs");
    assert_eq!(child.finish().status.signal(), Some(Signal::HUP.as_raw()));
}

#[test]
fn children_inherit_neither_handlers_nor_a_mask() {
    let output = start(|| {
        app().run(|_| async {
            let mut child = Command::new("sh");
            let ended = child.args(["-c", "kill -TERM $$; exit 3"]).status().expect("a shell");
            say(&format!("the child ended by {:?}", ended.signal()));
        })
    })
    .finish();
    assert_exit(&output, 0);
    assert!(output.stdout.contains("the child ended by Some(15)"), "{}", output.stdout);
}

#[test]
fn second_signal_forces() {
    let child = start(|| {
        app().run(|shutdown| async move {
            shutdown.defer("hangs", |_| async {
                say("hanging");
                pending::<()>().await;
            });
            until_draining(shutdown).await;
        })
    });
    child.wait_for_line("ready");
    child.terminate();
    child.wait_for_line("hanging");
    thread::sleep(Duration::from_millis(350)); // sleep-ok: what comes earlier is the same signal, delivered twice
    child.terminate();
    let output = child.finish();
    assert_exit(&output, 143);
    let words = "shutdown: forced by a second signal, SIGTERM, while cleanup";
    assert!(output.stderr.contains(words), "{}", output.stderr);
}

#[test]
fn signal_before_run_is_latched() {
    let output = start(|| {
        let app = app();
        kill_process(getpid(), Signal::TERM).expect("we run");
        app.run(|shutdown| async move {
            shutdown.at(Phase::Draining).await;
            // What the signal interrupted is not begun, and nothing was to be cleaned up.
            assert!(shutdown.startup(pending::<()>()).await.is_err());
        })
    })
    .finish();
    assert_exit(&output, 0);
}

#[test]
fn budget_counts_from_a_signal_that_came_before_run() {
    let output = start(|| {
        let app = app();
        kill_process(getpid(), Signal::TERM).expect("we run");
        thread::sleep(Duration::from_millis(700)); // sleep-ok: a slow start, of which the budget must lose something
        app.run(until_draining)
    })
    .finish();
    assert_exit(&output, 0);
    let used = output.stderr.split_once("SIGTERM; ").and_then(|(_, rest)| rest.split_once(" s"));
    let used: f64 = used.expect("a report").0.parse().expect("seconds");
    assert!(used > 0.3, "{}", output.stderr);
}

#[test]
fn signal_during_start_up_rolls_back_what_has_started() {
    let output = terminate(|| {
        app().run(|shutdown| async move {
            let start = async {
                shutdown.defer("telemetry", |_| async { say("closed telemetry") });
                shutdown.defer("postgres", |_| async { say("closed postgres") });
                say("ready");
                pending::<()>().await;
            };
            shutdown.startup(start).await
        })
    });
    assert_exit(&output, 0);
    assert!(output.stdout.contains("closed postgres\nclosed telemetry\n"), "{}", output.stdout);
    assert!(output.stderr.contains("interrupted during start-up"), "{}", output.stderr);
}

#[test]
fn signals_without_app_are_latched_until_attached() {
    let output = start(|| {
        let signals = Signals::install().expect("handlers");
        kill_process(getpid(), Signal::TERM).expect("we run");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let shutdown = Shutdown::new(Plan::new());
            signals.attach(&shutdown);
            shutdown.complete().await
        })
    })
    .finish();
    assert_exit(&output, 0);
}

#[test]
fn error_of_main_is_reported_and_exits_with_1() {
    let output = start(|| {
        app().run(|shutdown| async move {
            shutdown.defer("postgres", |_| async { say("closed postgres") });
            Err::<(), _>(io::Error::other("port 3000 is taken"))
        })
    })
    .finish();
    assert_exit(&output, 1);
    assert!(output.stdout.contains("closed postgres"), "{}", output.stdout);
    assert!(output.stderr.contains("main failed: port 3000 is taken"), "{}", output.stderr);
}

#[test]
fn panic_of_main_is_reported_after_the_cleanups() {
    let output = start(|| {
        app().run(|shutdown| async move {
            shutdown.defer("postgres", |_| async { say("closed postgres") });
            panics().await;
        })
    })
    .finish();
    assert_exit(&output, 1);
    assert!(output.stdout.contains("closed postgres"), "{}", output.stdout);
    assert!(output.stderr.contains("orders shutdown: panic: boom;"), "{}", output.stderr);
}

fn panics() -> impl Future<Output = ()> {
    std::future::poll_fn(|_| panic!("boom"))
}

#[test]
fn impossible_plan_is_reported() {
    let output =
        start(|| app().plan(Plan::new().budget(Duration::ZERO)).run(until_draining)).finish();
    assert_exit(&output, 1);
    assert!(output.stderr.contains("raise the budget"), "{}", output.stderr);
}

#[test]
fn blocked_runtime_still_exits() {
    let output = terminate(|| {
        let mut one_worker = Builder::new_multi_thread();
        one_worker.worker_threads(1).enable_all();
        app().runtime(one_worker).run(|shutdown| async move {
            shutdown.tracker("jobs").spawn("importer", async { block() });
            // No timer works any more, so the sequence cannot get past the drain by itself.
            until_draining(shutdown).await;
        })
    });
    assert_exit(&output, 1);
    let words = "orders shutdown: overran its 2.000 s while draining, exit code 1";
    assert!(output.stderr.contains(words), "{}", output.stderr);
    assert!(output.stderr.contains("1 left behind importer"), "{}", output.stderr);
}

#[test]
fn blocked_current_thread_still_exits() {
    let output = terminate(|| {
        let mut current = Builder::new_current_thread();
        current.enable_all();
        app().runtime(current).run(|_| async {
            say("ready");
            block();
        })
    });
    assert_exit(&output, 1);
    assert!(output.stderr.contains("overran its 2.000 s"), "{}", output.stderr);
}

#[test]
fn stuck_blocking_task_is_left_behind() {
    let output = terminate(|| {
        app().run(|shutdown| async move {
            tokio::task::spawn_blocking(block);
            until_draining(shutdown).await;
        })
    });
    assert_exit(&output, 1);
    assert!(output.stderr.contains("threads still busy after 0.100 s"), "{}", output.stderr);
}

#[test]
fn cleanups_that_hang_panic_and_block_do_not_stop_the_rest() {
    let output = terminate(|| {
        app().run(|shutdown| async move {
            shutdown.defer("telemetry", |_| async { say("closed telemetry") });
            let _ =
                shutdown.defer("blocks", |_| async { block() }).budget(Duration::from_millis(50));
            let _ = shutdown.defer("hangs", |_| pending::<()>()).budget(Duration::from_millis(50));
            shutdown.defer("panics", |_| panics());
            let handle = shutdown.clone();
            shutdown.defer("triggers", move |_| async move {
                assert!(!handle.trigger(Reason::Requested("myself".into())));
            });
            until_draining(shutdown).await;
        })
    });
    assert_exit(&output, 1);
    assert!(output.stdout.contains("closed telemetry"), "{}", output.stdout);
    for words in ["panicked: boom", "timed out, and blocks its thread"] {
        assert!(output.stderr.contains(words), "{words}\n{}", output.stderr);
    }
}

/// The worker that a timer wakes is the one that kept the timers. If it blocks then, no other one knows that they are orphaned.
#[test]
fn cleanup_that_blocks_the_keeper_of_the_timers_does_not_stop_the_rest() {
    let output = terminate(|| {
        let mut two_workers = Builder::new_multi_thread();
        two_workers.worker_threads(2).enable_all();
        app().runtime(two_workers).run(|shutdown| async move {
            shutdown.defer("telemetry", |_| async { say("closed telemetry") });
            let blocks = shutdown.defer("blocks", |_| async {
                sleep(Duration::from_millis(10)).await; // sleep-ok: a timer is what this is about
                block();
            });
            let _ = blocks.budget(Duration::from_millis(100));
            until_draining(shutdown).await;
        })
    });
    assert_exit(&output, 1);
    assert!(output.stdout.contains("closed telemetry"), "{}", output.stderr);
    assert!(output.stderr.contains("timed out, and blocks its thread"), "{}", output.stderr);
}

#[test]
fn panicking_destructors_do_not_stop_the_rest() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }
    let output = terminate(|| {
        app().run(|shutdown| async move {
            let (task, main) = (Bomb, Bomb);
            drop(tokio::spawn(async move {
                let _bomb = task;
                pending::<()>().await;
            }));
            shutdown.defer("telemetry", |_| async { say("closed telemetry") });
            let _bomb = main;
            until_draining(shutdown).await;
        })
    });
    assert_exit(&output, 1);
    assert!(output.stdout.contains("closed telemetry"), "{}", output.stdout);
    assert!(output.stderr.contains("panicked: bomb"), "{}", output.stderr);
}

#[test]
fn full_stderr_does_not_hold_up_the_exit() {
    let mut command = command(|| {
        app().run(|shutdown| async move {
            thread::spawn(|| {
                let line = [b'x'; 1024];
                while io::stderr().write_all(&line).is_ok() {}
            });
            until_draining(shutdown).await;
        })
    });
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("it starts");
    let mut stdout = process.stdout.take().expect("a pipe");
    let mut read = [0];
    let mut text = Vec::new();
    while !text.ends_with(b"ready") {
        stdout.read_exact(&mut read).expect("it gets ready");
        text.push(read[0]);
    }
    kill_process(Pid::from_child(&process), Signal::TERM).expect("it runs");
    let (ended, end) = mpsc::channel();
    // Held, so that the pipe stays full.
    let stderr = process.stderr.take();
    thread::spawn(move || ended.send(process.wait()));
    let status = end.recv_timeout(Duration::from_secs(20)).expect("it ends").expect("a status");
    assert_eq!(status.code(), Some(0));
    drop(stderr);
}

#[test]
fn termination_log_is_written_where_there_is_one() {
    const PATH: &str = "UNDERPIN_SHUTDOWN_TEST_LOG";
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(b"what the last container said\n").expect("space");
    for (path, exists) in [(file.path().to_owned(), true), (file.path().join("absent"), false)] {
        let mut command = command(|| {
            let path = env::var_os(PATH).expect("the parent says where");
            app().termination_log(path).run(|_| async { Err::<(), _>("no database") })
        });
        command.env(PATH, &path);
        assert_exit(&testkit::run(command, Duration::from_secs(20)), 1);
        let log = fs::read_to_string(&path);
        assert_eq!(log.is_ok(), exists);
        if let Ok(log) = log {
            assert!(log.starts_with("orders shutdown: main failed: no database;"), "{log}");
            assert!(!log.contains("last container"), "{log}");
        }
    }
}
