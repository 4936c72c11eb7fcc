//! The exit is never late: whatever hangs, blocks, panics or stands still, the process is gone within its budget.

use std::{
    env, fs,
    io::{self, Write as _},
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use testkit::{Child, Output, Skip, full_or, is_full, or_skip};

/// The program's own.
const BUDGET: Duration = Duration::from_millis(600);

/// What the exit may be late by: the machine of `ci` is busy with other things.
fn allowed() -> Duration {
    full_or(Duration::from_millis(50), Duration::from_secs(1))
}

/// A process that is not gone by then was not going to go.
const PATIENCE: Duration = Duration::from_secs(20);

/// The program of this package that gets into trouble.
pub(super) fn torture(case: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_torture"));
    command.arg(case).env_remove("KUBERNETES_SERVICE_HOST").env_remove("RUST_BACKTRACE");
    command
}

/// What is expected of one kind of trouble.
struct Case {
    name: &'static str,
    exit_code: i32,
    /// What the report says, among other things.
    report: &'static str,
    /// Whether the cleanups are reached.
    cleans_up: bool,
}

const fn case(name: &'static str, exit_code: i32, report: &'static str) -> Case {
    Case { name, exit_code, report, cleans_up: true }
}

/// Only the watchdog is left.
const fn overrun(name: &'static str, report: &'static str) -> Case {
    Case { name, exit_code: 1, report, cleans_up: false }
}

#[test]
fn blocked_threads_do_not_delay_the_exit() {
    Figures::of(&[
        case("nothing", 0, "SIGTERM; 0.0"),
        case("blocked-worker", 1, "1 left behind: importer"),
        overrun("blocked-workers", "2 left behind importer, exporter"),
        overrun("busy-workers", "2 left behind importer, exporter"),
        overrun("blocked-current-thread", "overran its 0.600 s while draining"),
        overrun("blocked-main", "overran its 0.600 s while draining"),
        overrun("blocked-destructor", "overran its 0.600 s while draining"),
        case("hung-main", 1, "cut off: it had not returned in time"),
        case("blocking-task", 1, "threads still busy after 0.100 s"),
        case("stdin-reader", 1, "threads still busy after 0.100 s"),
        case("blocked-after-report", 0, "SIGTERM; 0.0"),
        case("blocked-exit-handler", 0, "SIGTERM; 0.0"),
    ]);
}

#[test]
fn broken_cleanups_and_destructors_do_not_delay_the_exit() {
    Figures::of(&[
        case("hung-cleanup", 1, "timed out"),
        case("blocking-cleanup", 1, "timed out, and blocks its thread"),
        case("panicking-cleanup", 1, "panicked: boom"),
        case("recursive-cleanup", 1, "panicked: a cleanup cannot wait for the end of its own"),
        case("panicking-destructors", 1, "panicked: bomb"),
    ]);
}

#[test]
fn streams_and_telemetry_that_block_do_not_delay_the_exit() {
    Figures::of(&[
        case("full-stderr", 0, "SIGTERM; 0.0"),
        case("stderr-without-reader", 0, "SIGTERM; 0.0"),
        overrun("blocked-telemetry", "overran its 0.600 s while draining"),
        overrun("telemetry-holds-stderr", "overran its 0.600 s while draining"),
    ]);
}

#[test]
fn closed_stderr_does_not_delay_the_exit() {
    let mut figures = Figures::default();
    figures.add(&case("nothing", 0, "SIGTERM; 0.0"), "closed-stderr", || {
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" nothing 2>&-", env!("CARGO_BIN_EXE_torture")]);
        Stop::of(command)
    });
}

/// Time that the process does not see passes all the same, for whoever waits to kill it.
#[test]
fn process_that_was_stopped_is_gone_when_it_continues() {
    let mut figures = Figures::default();
    let case = Case { cleans_up: false, ..case("hung-main", 1, "torture shutdown: ") };
    for (name, [stop, go_on]) in
        [("stopped-past-deadline", [200, 800]), ("stopped-and-continued", [100, 300])]
    {
        let (stop, go_on) = (Duration::from_millis(stop), Duration::from_millis(go_on));
        figures.add(&case, name, || {
            Stop::with(torture(case.name), |child, begin| {
                thread::sleep((begin + stop).saturating_duration_since(Instant::now())); // sleep-ok: real time is what this is about
                send(child, Signal::STOP);
                thread::sleep((begin + go_on).saturating_duration_since(Instant::now())); // sleep-ok: as above
                let due = (begin + BUDGET).max(Instant::now());
                send(child, Signal::CONT);
                due
            })
        });
    }
}

/// The budget is counted on a clock that nobody sets.
#[cfg(target_os = "linux")]
#[test]
fn steps_of_the_wall_clock_do_not_move_the_deadline() {
    let folder = tempfile::tempdir().expect("a temp folder");
    let library = or_skip!(wall_clock(folder.path().join("libwall_clock.so")));
    let mut figures = Figures::default();
    for (name, step, says) in [
        ("wall-clock-goes-back", "-3600", "the wall clock moves back by 3"),
        ("wall-clock-leaps-ahead", "3600", "the wall clock moves forwards by 3"),
    ] {
        for case in [
            case("hung-main", 1, "cut off: it had not returned in time"),
            overrun("blocked-main", "overran its 0.600 s"),
        ] {
            let stop = || {
                let mut command = torture(case.name);
                command.env("LD_PRELOAD", &library).env("WALL_CLOCK_STEP", step);
                let stop = Stop::of(command);
                if case.name == "hung-main" {
                    assert!(stop.output.stdout.contains(says), "{}", stop.output.stdout);
                }
                // Neither does it come early.
                assert!(stop.took() > BUDGET / 2, "gone after {:?}", stop.took());
                stop
            };
            figures.add(&case, &format!("{name} {}", case.name), stop);
        }
    }
}

/// Compiles the library that makes a wall clock jump at every look.
#[cfg(target_os = "linux")]
fn wall_clock(library: PathBuf) -> Result<PathBuf, Skip> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/lifecycle/wall_clock.c");
    let mut compile = testkit::program("cc")?.command();
    compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source);
    let output = testkit::run(compile, PATIENCE);
    assert!(output.status.success(), "{}", output.stderr);
    Ok(library)
}

/// One process that was told to stop.
struct Stop {
    output: Output,
    /// Written to the termination log, which no state of stderr keeps from being written.
    report: String,
    begin: Instant,
    due: Instant,
}

impl Stop {
    fn of(command: Command) -> Stop {
        Stop::with(command, |_, begin| begin + BUDGET)
    }

    /// `and_then` comes after the signal, and says when the process has to be gone.
    fn with(mut command: Command, and_then: impl FnOnce(&Child, Instant) -> Instant) -> Stop {
        let log = tempfile::NamedTempFile::new().expect("a temp file");
        command.env("TORTURE_TERMINATION_LOG", log.path());
        let child = Child::spawn(command, PATIENCE);
        child.wait_for_line("ready");
        // Before the signal: what it takes to arrive is part of being late.
        let begin = Instant::now();
        child.terminate();
        let due = and_then(&child, begin);
        let output = child.finish();
        let report = fs::read_to_string(log.path()).expect("a report");
        Stop { output, report, begin, due }
    }

    fn took(&self) -> Duration {
        self.output.ended - self.begin
    }

    /// In milliseconds; negative for one that was early.
    fn late(&self) -> f64 {
        let late = self.output.ended.saturating_duration_since(self.due).as_secs_f64();
        let early = self.due.saturating_duration_since(self.output.ended).as_secs_f64();
        (late - early) * 1e3
    }

    fn check(&self, name: &str, case: &Case) {
        let Stop { output, report, .. } = self;
        let printed = || format!("{name}: {}\n{report}{}", output.status, output.stdout);
        assert_eq!(output.status.code(), Some(case.exit_code), "{}", printed());
        assert!(report.contains(case.report), "{}", printed());
        // The watchdog and the service never both have the last word.
        for text in [report, &output.stderr] {
            assert!(text.matches("torture shutdown: ").count() <= 1, "{}{text}", printed());
        }
        if case.cleans_up {
            assert!(output.stdout.contains("closed telemetry"), "{}", printed());
        }
    }
}

fn send(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.pid()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, signal).expect("it runs");
}

/// Lines of a table, printed when they are all there.
#[derive(Default)]
struct Figures(Vec<String>);

impl Figures {
    fn of(cases: &[Case]) {
        let mut figures = Figures::default();
        for case in cases {
            figures.add(case, case.name, || Stop::of(torture(case.name)));
        }
    }

    /// Stops a number of processes, and holds the median of them to what is allowed.
    fn add(&mut self, case: &Case, name: &str, stop: impl Fn() -> Stop) {
        let runs = full_or(20, 2);
        let mut late: Vec<f64> = (0..runs)
            .map(|_| {
                let stop = stop();
                stop.check(name, case);
                stop.late()
            })
            .collect();
        late.sort_by(f64::total_cmp);
        let (median, max) = (late[runs / 2], late[runs - 1]);
        self.0.push(format!("  {name:<36} {median:>8.1} {max:>8.1}\n"));
        let allowed = allowed().as_secs_f64() * 1e3;
        assert!(median <= allowed, "{name} is {median:.1} ms late, of {allowed} ms allowed");
    }
}

impl Drop for Figures {
    fn drop(&mut self) {
        if !self.0.is_empty() && !thread::panicking() {
            let (runs, profile) = (full_or(20, 2), if is_full() { "release" } else { "debug" });
            let head = format!("ms after the deadline, of {runs} runs in {profile}: median, max");
            // Not `println!`: the test harness keeps what a passing test prints to itself.
            let _ = write!(io::stdout(), "\n{head}\n{}", self.0.concat());
        }
    }
}
