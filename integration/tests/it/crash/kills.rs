//! Processes are killed at random moments, and the power stays on.

use std::{collections::BTreeSet, fs, time::Duration};

use testkit::{Child, full_or};
use underpin_fsx::blocking::{read_jsonl, sweep_stale};

use super::{PATIENCE, crash, number, pause, promised, tell};

const AT_MOST: Duration = Duration::from_millis(30);

/// So many append at the same time.
const PROCESSES: u64 = 8;

#[test]
fn killed_writer_leaves_the_old_file_or_the_new_one() {
    let kills = full_or(2_000, 200);
    let dir = tempfile::tempdir().expect("a temp folder");
    let path = dir.path().join("file");
    let (mut there, mut most_temps) = (0, 0);
    for _ in 0..kills {
        let mut command = crash("atomic", &path);
        command.arg((there + 1).to_string());
        let child = Child::spawn(command, PATIENCE);
        pause(AT_MOST);
        child.kill();
        let promised = promised(&child.finish().stdout);
        let last = promised.last().copied().unwrap_or(there);
        there = match fs::read(&path) {
            Ok(content) => number(&content).expect("it is whole"),
            Err(_) => 0,
        };
        assert!([last, last + 1].contains(&there), "{there}, and {last} was promised");
        let swept = sweep_stale(dir.path(), Duration::ZERO).expect("it sweeps");
        most_temps = most_temps.max(swept);
        assert!(swept <= 1, "{swept} temporary files");
        assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), usize::from(there > 0));
    }
    tell(&format!(
        "atomic: {kills} kills, version {there}, 0 torn, at most {most_temps} temporary files"
    ));
}

#[test]
fn killed_appenders_lose_and_spoil_nothing_of_each_other() {
    let kills = full_or(2_000, 200);
    let dir = tempfile::tempdir().expect("a temp folder");
    let path = dir.path().join("log.jsonl");
    // Each life of a process has numbers of its own.
    let mut lives = 0..;
    let mut spawn = || {
        let mut command = crash("append", &path);
        command.arg((lives.next().unwrap_or(0_u64) << 32).to_string());
        Child::spawn(command, PATIENCE)
    };
    let mut processes: Vec<Child> = (0..PROCESSES).map(|_| spawn()).collect();
    let mut all = BTreeSet::new();
    let mut end = |child: Child| {
        child.kill();
        all.extend(promised(&child.finish().stdout));
    };
    for kill in 0..kills {
        pause(AT_MOST);
        end(processes.remove(kill % processes.len()));
        processes.push(spawn());
    }
    processes.into_iter().for_each(&mut end);
    let mut reader = read_jsonl::<serde_json::Value>(&path).skip_malformed().salvage();
    let records = reader.by_ref().map(|record| record.expect("it can be read"));
    let there: BTreeSet<u64> = records.filter_map(|record| record["n"].as_u64()).collect();
    let lost = all.difference(&there).count();
    let stats = reader.stats();
    tell(&format!(
        "append: {kills} kills among {PROCESSES} processes, {} promises, {lost} lost, {} fragments, {} records in lines with others",
        all.len(),
        stats.malformed,
        stats.salvaged
    ));
    assert_eq!((lost, stats.salvaged), (0, 0));
    assert!(all.len() > kills);
}
