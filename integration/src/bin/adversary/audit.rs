//! What is left.

use std::{
    fs, process,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// The processes that carry this tag and have not ended.
pub(super) fn survivors(tag: &str) -> Vec<i32> {
    let carries = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == tag.as_bytes())
    };
    pids().filter(|pid| *pid != process::id().cast_signed()).filter(carries).collect()
}

/// Our children that have ended and were not reaped.
pub(super) fn zombies() -> usize {
    let ours = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields =
            stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').take(2).collect::<Vec<_>>());
        fields.is_some_and(|fields| fields == ["Z", &process::id().to_string()])
    };
    pids().filter(ours).count()
}

/// Our open descriptors, without the one that this takes.
pub(super) fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count) - 1
}

/// The cgroups of our trees.
pub(super) fn cgroups() -> usize {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let folders = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(|root| format!("{root}{own}"));
    let entries = folders.iter().flat_map(fs::read_dir).flatten().flatten();
    let ours = format!("procx-{}-", process::id());
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&ours)).count()
}

/// Waits until it is nothing, for two seconds, and gives what it is then.
pub(super) fn in_the_end(mut count: impl FnMut() -> usize) -> usize {
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        let left = count();
        if left == 0 || Instant::now() > deadline {
            return left;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Ends what the crate did not: a failing test must leave nothing behind either.
pub(super) fn bury(survivors: &[i32]) {
    for pid in survivors.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
