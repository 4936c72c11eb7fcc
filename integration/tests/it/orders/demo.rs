//! `orders demo`, as somebody sees it who tries the thing out.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;
use testkit::{Child, full_or, is_full, run};

use super::{folder, orders};

const PATIENCE: Duration = Duration::from_secs(60);

/// What a demo that is killed leaves behind is in this folder.
fn demo(dir: &TempDir, rounds: &str) -> Command {
    let mut command = orders(dir);
    command.env("TMPDIR", dir.path()).args(["demo", rounds]);
    command
}

#[test]
fn the_demo_restarts_under_load_and_nobody_notices() {
    let rounds = full_or(20, 2);
    let dir = folder();
    let output = run(demo(&dir, &rounds.to_string()), PATIENCE * 3);
    // How fast an order is refused is a figure for a reader in an ordinary run, when others may use the machine, and a bar in a full one.
    let bad: Vec<&str> = output.stdout.lines().filter(|line| line.starts_with("  BAD ")).collect();
    let is_slow = |line: &&str| line.starts_with("  BAD  open  ") && line.ends_with(", 0 made");
    let is_only_slow = bad.len() == 1 && bad.iter().all(is_slow);
    let is_well = output.status.code() == Some(0) && output.stdout.ends_with("\nNobody noticed.\n");
    assert!(is_well || is_only_slow && !is_full(), "{}{}", output.stdout, output.stderr);
    assert!(
        output.stdout.contains(&format!("restart {} of {}", 2 * rounds, 2 * rounds)),
        "{}",
        output.stdout
    );
    assert!(output.stdout.contains("ok   failures    0\n"), "{}", output.stdout);
    assert!(output.stdout.contains("ok   activity    "), "{}", output.stdout);
    // Not a terminal, so nothing is drawn over.
    assert!(!output.stdout.contains('\r') && !output.stdout.contains('\x1b'));
}

/// The process that a line is about.
fn process(line: &str) -> Pid {
    let id = line.split_once("process ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    id.and_then(Pid::from_raw).unwrap_or_else(|| panic!("no process in {line}"))
}

/// Whether it runs. One that has ended keeps its number until its new parent asks for it, which not every container's first process does.
fn runs(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    test_kill_process(pid).is_ok() && !stat.is_ok_and(|stat| stat.contains(") Z "))
}

/// Elsewhere nobody can ask the kernel for it.
#[test]
#[cfg(target_os = "linux")]
fn its_processes_do_not_outlive_it_when_it_is_killed() {
    use rustix::process::{Signal, kill_process};

    let dir = folder();
    let child = Child::spawn(demo(&dir, "1"), PATIENCE);
    let survivor = process(&child.wait_for_line("restart 1 of 2"));
    let demo =
        Pid::from_raw(i32::try_from(child.pid()).expect("it is small")).expect("it is not zero");
    // Itself and not its group: nobody else is told.
    kill_process(demo, Signal::KILL).expect("it runs");
    let deadline = Instant::now() + PATIENCE;
    while runs(survivor) {
        assert!(Instant::now() < deadline, "process {survivor:?} is still there");
        std::thread::sleep(Duration::from_millis(20)); // sleep-ok: nobody tells a stranger that a process has ended
    }
}

#[test]
fn an_interrupt_ends_the_demo_and_its_processes() {
    let dir = folder();
    let child = Child::spawn(demo(&dir, "100"), PATIENCE);
    let served = process(&child.wait_for_line("serves"));
    child.terminate();
    let output = child.finish();
    assert_eq!(output.status.code(), Some(1), "{}{}", output.stdout, output.stderr);
    assert!(output.stderr.contains("interrupted: SIGTERM"), "{}", output.stderr);
    assert!(!runs(served), "process {served:?} is still there");
}

#[test]
fn rounds_are_a_number() {
    for wrong in ["0", "-1", "many", "1001"] {
        let output = run(demo(&folder(), wrong), PATIENCE);
        assert_eq!(output.status.code(), Some(2), "{wrong}");
        assert!(output.stderr.contains("usage: orders"), "{}", output.stderr);
    }
}
