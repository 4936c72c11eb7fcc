//! Programs that do not want to end, do: every way to misbehave meets every way to be ended, and nothing is left.

use std::{
    fs, io,
    io::Write as _,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::{self, Command},
    time::{Duration, Instant},
};

use testkit::{Child, Output, Skip, full_or, or_skip, run};

/// A run of all counts takes a quarter of an hour.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Who may do nothing but what everybody may.
const NOBODY: u32 = 65_534;

/// For the reader of the run, not kept from him by the test harness.
fn tell(text: &str) {
    let _ = writeln!(io::stdout(), "processes: {}", text.trim_end());
}

fn adversary(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_adversary"));
    command.args(words).env_remove("RUST_BACKTRACE");
    command
}

/// Runs so many of them, and looks at what the owner has found.
fn owned(mut command: Command, containment: &str, runs: usize) -> Result<(), Skip> {
    /// The owner's exit code for another containment than the one to be tested.
    const ANOTHER: i32 = 3;
    let seed = process::id().to_string();
    command.args(["own", &runs.to_string(), &seed, containment]);
    let Output { status, stdout, stderr, .. } = run(command, PATIENCE);
    if status.code() == Some(ANOTHER) {
        return Err(Skip::new(format!("{} (needs root and cgroup v2)", stdout.trim())));
    }
    tell(&stdout);
    assert!(status.success(), "seed {seed}\n{stdout}{stderr}");
    Ok(())
}

#[test]
fn in_a_cgroup_nothing_is_left() {
    or_skip!(owned(adversary(&[]), "cgroup", full_or(2500, 126)));
}

#[test]
fn without_a_cgroup_nothing_is_left_but_ghosts() {
    // A copy: nobody else may look into the folder of the build.
    let folder = tempfile::tempdir().expect("a temp folder");
    let program = folder.path().join("adversary");
    fs::copy(env!("CARGO_BIN_EXE_adversary"), &program).expect("it can be copied");
    let everybody = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), everybody).expect("it is ours");
    let mut command = Command::new(&program);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    or_skip!(owned(command, "sweep", full_or(1300, 84)));
}

#[test]
fn without_our_own_way_to_start_them_nothing_is_left_but_ghosts() {
    let mut command = adversary(&[]);
    command.env("PROCX_SPAWN", "std");
    or_skip!(owned(command, "sweep", full_or(1300, 84)));
}

/// The processes that carry this tag.
fn survivors(tag: &str) -> usize {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| line.split(|byte| *byte == 0).any(|word| word == tag.as_bytes())).count()
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2)); // sleep-ok: bounded poll of the system
    }
}

#[test]
fn after_the_owner_was_killed_the_child_goes_with_it_and_the_next_owner_ends_the_rest() {
    for (round, kind) in ["deaf", "daemon", "holder", "ghost"].iter().enumerate() {
        let tag = format!("--tag=orphan-{}-{round}", process::id());
        let owner = Child::spawn(adversary(&["hold", kind, "cgroup", &tag]), PATIENCE);
        owner.wait_for_line("it runs");
        // The owner itself, its child, and what that has started.
        wait_for("it has started another one", || survivors(&tag) >= 3);
        owner.kill();
        drop(owner.finish());
        wait_for("its child is gone", || survivors(&tag) <= 1);
        or_skip!(owned(adversary(&[]), "cgroup", 1));
        wait_for("all are gone", || survivors(&tag) == 0);
    }
}

#[test]
fn a_flood_through_both_pipes_stays_within_the_caps() {
    let bytes: u64 = full_or(10 << 30, 256 << 20);
    let output = run(adversary(&["read", &bytes.to_string()]), PATIENCE);
    tell(&output.stdout);
    assert!(output.status.success(), "{}{}", output.stdout, output.stderr);
}
