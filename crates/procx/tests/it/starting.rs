//! What is started, and where.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use underpin_procx::{Containment, ErrorKind, Exit, Limits, cmd, containment};

use crate::script;

/// A script with its interpreter in the first line.
fn program(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("it can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}

#[tokio::test]
async fn arguments_arrive_as_they_are() {
    let words = ["; echo x", "$(id)", "a\nb", "*", "", "it's \"quoted\"", "-n"];
    let printed = cmd("printf").arg("<%s>").args(words).run().await.expect("it runs");
    assert_eq!(printed.stdout.text(), format!("<{}>", words.join("><")));
}

#[tokio::test]
async fn a_command_is_a_value_that_runs_many_times() {
    let echo = cmd("echo").arg("again");
    for _ in 0..3 {
        assert_eq!(echo.clone().text().await.expect("it runs"), "again");
    }
}

#[tokio::test]
async fn it_runs_in_the_folder_that_is_named_and_a_relative_program_is_in_there() {
    let folder = tempfile::tempdir().expect("a temp folder");
    let real = folder.path().canonicalize().expect("it exists");
    let shown = cmd("pwd").arg("-P").cwd(&real).text().await.expect("it runs");
    assert_eq!(Path::new(&shown), real);

    program(&real, "tool", "#!/bin/sh\necho \"$0\"\n");
    let shown = cmd("./tool").cwd(&real).text().await.expect("it runs");
    assert!(shown.ends_with("/tool"), "{shown}");
}

#[tokio::test]
async fn a_missing_program_and_a_missing_folder_are_told_apart() {
    let error = cmd("no-such-program").run().await.expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.to_string(), "no-such-program: not found in any folder of PATH");

    let error = cmd("./no-such-program").run().await.expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::NotFound);

    let error = cmd("true").cwd("/no/such/folder").run().await.expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::CwdMissing);
    assert!(error.to_string().ends_with("does not exist: /no/such/folder"), "{error}");
}

#[tokio::test]
async fn what_exists_and_cannot_be_started_is_neither() {
    let folder = tempfile::tempdir().expect("a temp folder");
    let plain = folder.path().join("plain");
    fs::write(&plain, "text").expect("it can be written");
    let lost = program(folder.path(), "lost", "#!/no/such/interpreter\n");
    for path in [&plain, &lost] {
        let error = cmd(path).run().await.expect_err("it is no program");
        assert_eq!(error.kind(), ErrorKind::Spawn, "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }
    for bad in [cmd(""), cmd("echo").arg("a\0b"), cmd("ec\0ho")] {
        assert_eq!(bad.run().await.expect_err("a bad word").kind(), ErrorKind::Spawn);
    }
}

#[tokio::test]
async fn the_path_of_the_child_decides() {
    let folder = tempfile::tempdir().expect("a temp folder");
    program(folder.path(), "tool", "#!/bin/sh\necho found\n");
    let text = cmd("tool").env("PATH", folder.path()).text().await;
    assert_eq!(text.expect("it is there"), "found");
    // A relative folder would be one of the child's.
    let error = cmd("tool").cwd(folder.path()).env("PATH", ".:").run().await;
    assert_eq!(error.expect_err("it is passed over").kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn the_environment_is_inherited_replaced_and_reduced() {
    let printed = cmd("env").env("A", "1").env("A", "2").env_only(["PATH"]).text().await;
    let printed = printed.expect("it runs");
    let mut names: Vec<&str> = printed.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["A", "PATH", "PROCX_TREE"]);
    assert!(printed.lines().any(|line| line == "A=2"));

    let printed = cmd("env").env_remove("PATH").text().await.expect("it is in /bin or /usr/bin");
    assert!(!printed.lines().any(|line| line.starts_with("PATH=")));
}

#[tokio::test]
async fn a_program_that_is_still_written_is_tried_again() {
    let folder = tempfile::tempdir().expect("a temp folder");
    let path = folder.path().join("copy");
    fs::copy("/bin/true", &path).expect("it can be copied");
    let writer = File::options().write(true).open(&path).expect("it is ours");
    let run = tokio::spawn(cmd(&path).run());
    tokio::time::sleep(Duration::from_millis(3)).await; // sleep-ok: long enough for a first try
    drop(writer);
    run.await.expect("no panic").expect("it runs in the end");

    let _writer = File::options().write(true).open(&path).expect("it is ours");
    let error = cmd(&path).run().await.expect_err("it is written for too long");
    assert_eq!(error.kind(), ErrorKind::Spawn);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn limits_hold_for_the_child_and_what_it_starts() {
    let limits = Limits::new().open_files(37).core(0).nice(7);
    let printed = script("ulimit -n; ulimit -c; nice; ulimit -H -n").limits(limits).text().await;
    assert_eq!(printed.expect("it runs"), "37\n0\n7\n37");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_nice_value_holds_from_the_start() {
    for _ in 0..20 {
        let printed = cmd("nice").limits(Limits::new().nice(5)).text().await;
        assert_eq!(printed.expect("it runs"), "5");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn too_much_time_on_the_processor_ends_it() {
    let limits = Limits::new().cpu(Duration::from_millis(500));
    let busy = script("while :; do :; done").limits(limits).output().await.expect("it ends");
    assert!(matches!(busy.exit, Exit::Signal(_)), "{:?}", busy.exit);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn signals_are_as_a_new_program_expects_them() {
    let status = cmd("cat").arg("/proc/self/status").text().await.expect("it runs");
    let set = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        u64::from_str_radix(line.trim(), 16).expect("a hexadecimal number")
    };
    assert_eq!(set("SigBlk:"), 0);
    // Rust programs ignore SIGPIPE, number 13, and what is ignored would stay so.
    assert_eq!(set("SigIgn:") & 1 << 12, 0);
}

#[tokio::test]
async fn a_containment_that_cannot_be_had_is_an_error() {
    let result = cmd("true").min_containment(Containment::Cgroup).run().await;
    match containment() {
        Containment::Cgroup => drop(result.expect("it can be had")),
        _ => assert_eq!(result.expect_err("it cannot").kind(), ErrorKind::Containment),
    }
    let both = cmd("true").min_containment(Containment::Cgroup).leave_background().run().await;
    assert_eq!(both.expect_err("they exclude each other").kind(), ErrorKind::Containment);
}

#[tokio::test]
async fn a_variable_that_would_set_another_one_is_refused() {
    for name in ["", "=", "LD_PRELOAD=/tmp/x.so:"] {
        let error = cmd("true").env(name, "value").run().await.expect_err("it is no name");
        assert_eq!(error.kind(), ErrorKind::Spawn);
        assert!(error.to_string().ends_with("no `=` in it"), "{error}");
    }
    cmd("true").env_remove("").env_remove("A=B").run().await.expect("there are none to remove");
}

#[tokio::test]
async fn what_is_wrong_is_said_as_it_is() {
    let folder = tempfile::tempdir().expect("a temp folder");
    let file = program(folder.path(), "file", "");
    let error = cmd("true").cwd(&file).run().await.expect_err("it is no folder");
    assert_eq!(error.kind(), ErrorKind::CwdMissing);
    assert!(error.to_string().contains("is no folder: "), "{error}");

    let around = folder.path().join("around");
    std::os::unix::fs::symlink(&around, &around).expect("it can be made");
    let error = cmd(&around).run().await.expect_err("it leads to itself");
    assert_eq!(error.kind(), ErrorKind::Spawn, "{error}");

    let lost = program(folder.path(), "lost", "#!/no/such/interpreter\n");
    let error = cmd(lost).run().await.expect_err("nothing runs it");
    assert!(error.to_string().contains("its first line names"), "{error}");

    let error = cmd("").run().await.expect_err("it has no name");
    assert!(error.to_string().ends_with("a program needs a name"), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_limit_gets_in_the_way_of_the_start() {
    let error = cmd("true").limits(Limits::new().open_files(1)).run().await;
    // The loader of the program has no descriptor for its libraries.
    assert_eq!(error.expect_err("it cannot load").kind(), ErrorKind::Exit(127));
    let limits = Limits::new().cpu(Duration::MAX).file_size(u64::MAX).address_space(u64::MAX);
    cmd("true").limits(limits).run().await.expect("it has all there is");
}
