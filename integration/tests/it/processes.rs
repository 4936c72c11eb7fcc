//! Programs that do not want to end, do: every way to misbehave meets every way to be ended, and nothing is left.

use std::{
    fs, io,
    io::Write as _,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::{self, Command},
    time::{Duration, Instant},
};

use testkit::{Child, Output, Skip, full_or, or_skip, python, run};
use underpin_procx::{ErrorKind, cmd};

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
#[track_caller]
fn owned(mut command: Command, runs: usize) {
    let seed = process::id().to_string();
    command.args(["own", &runs.to_string(), &seed]);
    let Output { status, stdout, stderr, .. } = run(command, PATIENCE);
    tell(&stdout);
    assert!(status.success(), "seed {seed}\n{stdout}{stderr}");
}

#[test]
fn nothing_is_left_in_the_strongest_containment_there_is() {
    owned(adversary(&[]), full_or(2500, 126));
}

#[test]
fn nothing_is_left_when_the_owner_has_no_privilege() {
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
    owned(command, full_or(1300, 84));
}

#[test]
fn nothing_is_left_of_what_std_has_started() {
    let mut command = adversary(&[]);
    command.env("PROCX_SPAWN", "std");
    owned(command, full_or(1300, 84));
}

#[test]
fn nothing_is_left_of_orphans_that_the_owner_adopts() {
    for spawn in ["clone", "std"] {
        let mut command = adversary(&[]);
        command.env("PROCX_SPAWN", spawn).env("ADOPT", "1");
        owned(command, full_or(300, 42));
    }
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
fn after_the_owner_was_killed_the_child_goes_with_it_and_the_next_owner_ends_its_cgroup() {
    for (round, kind) in ["deaf", "daemon", "holder", "ghost"].iter().enumerate() {
        let tag = format!("--tag=orphan-{}-{round}", process::id());
        let owner = Child::spawn(adversary(&["hold", kind, &tag]), PATIENCE);
        let contained = owner.wait_for_line("it runs in a");
        // The owner itself, its child, and what that has started.
        wait_for("it has started another one", || survivors(&tag) >= 3);
        owner.kill();
        drop(owner.finish());
        wait_for("its child is gone", || survivors(&tag) <= 1);
        if contained.ends_with("cgroup") {
            owned(adversary(&[]), 1);
            wait_for("all are gone", || survivors(&tag) == 0);
        } else {
            tell(&format!("{contained}: one is left until its minute is over"));
        }
    }
}

#[test]
fn an_owner_that_exits_right_after_a_drop_leaves_nothing() {
    for spawn in ["clone", "std"] {
        for kind in ["deaf", "session", "daemon", "holder", "hydra"] {
            let tag = format!("--tag=left-{}-{spawn}-{kind}", process::id());
            let mut command = adversary(&["leave", kind, &tag]);
            command.env("PROCX_SPAWN", spawn);
            assert!(run(command, PATIENCE).status.success());
            wait_for("all are gone", || survivors(&tag) == 0);
        }
    }
}

#[test]
fn a_flood_through_both_pipes_stays_within_the_caps() {
    let bytes: u64 = full_or(10 << 30, 256 << 20);
    let output = run(adversary(&["read", &bytes.to_string()]), PATIENCE);
    tell(&output.stdout);
    assert!(output.status.success(), "{}{}", output.stdout, output.stderr);
}

#[test]
fn what_is_left_in_a_group_is_ended_where_there_is_no_proc() {
    let is_root = rustix::process::geteuid().is_root();
    or_skip!(
        is_root.then_some(()).ok_or_else(|| Skip::new("only root may mount (run it as root)"))
    );
    for kind in ["plain", "deaf", "holder"] {
        let tag = format!("--tag=unseen-{}-{kind}", process::id());
        let mut command = Command::new("unshare");
        // All that it needs of it is its own path.
        let hidden = "mount -t tmpfs tmpfs /proc && mkdir /proc/self && ln -s \"$0\" /proc/self/exe && exec \"$0\" \"$@\"";
        command.args(["--mount", "sh", "-c", hidden, env!("CARGO_BIN_EXE_adversary")]);
        command.args(["exit", kind, &tag]);
        let Output { status, stdout, stderr, .. } = run(command, PATIENCE);
        assert!(status.success() && stdout.contains("in a group"), "{stdout}{stderr}");
        wait_for("what it left is gone", || survivors(&tag) == 0);
    }
}

/// Holds a lease of its file: the kernel lets nobody open that, not even to run it, before it is given back.
const LEASE: &str = "
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = os.open(sys.argv[1], os.O_RDONLY)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('it is held', flush=True)
signal.alarm(30)
signal.pause()
";

/// A file system that does not answer is like that.
#[tokio::test]
async fn a_program_that_hangs_in_its_start_holds_up_no_end() {
    let python = or_skip!(python(&[]));
    let folder = tempfile::tempdir().expect("a temp folder");
    let program = folder.path().join("sleep");
    fs::copy("/bin/sleep", &program).expect("it can be copied");
    let mut holder = python.command();
    holder.arg("-c").arg(LEASE).arg(&program);
    let holder = Child::spawn(holder, Duration::from_secs(30));
    holder.wait_for_line("it is held");

    let soon = Duration::from_millis(200);
    let begun = Instant::now();
    let mut other = cmd("sleep").arg("3600").timeout(soon).spawn().await.expect("it starts");
    let tag = format!("--tag=hung-{}", process::id());
    let hung = cmd(&program).args(["3600", &tag]).timeout(soon);
    // One that waits for its turn has a deadline, too.
    let next = cmd("true").timeout(soon);
    let (hung, next, other) = tokio::join!(hung.run(), next.run(), other.wait());
    for ended in [hung, next, other] {
        assert_eq!(ended.expect_err("it was not in time").kind(), ErrorKind::TimedOut);
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());

    // The lease is gone with its holder, and then the program starts after all.
    holder.kill();
    drop(holder.finish());
    cmd("true").run().await.expect("others can start again");
    wait_for("what came too late is gone", || survivors(&tag) == 0);
}
