//! The power goes at a random moment: what was promised is there, and nothing is torn.

use std::{
    collections::BTreeSet,
    env, fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{self, ChildStdout, Command, Stdio},
    time::Duration,
};

use rustix::fs::{OFlags, fcntl_setfl};
use testkit::{Skip, full_or, or_skip};
use underpin_fsx::blocking::{read_json, read_jsonl, sweep_stale};

use super::{
    crash,
    disk::{Disk, Loss},
    number, pause, promised, random, tell,
};

/// How ext4 is mounted: as it is by default, without what hides the mistakes of others, and without any order between data and names.
const OPTIONS: [&str; 3] = ["", "noauto_da_alloc", "noauto_da_alloc,data=writeback"];

/// A process gets so long at most: some of it is its start.
const AT_MOST: Duration = Duration::from_millis(25);

/// What a workload has come to.
#[derive(Debug, Default)]
struct Tally {
    losses: u32,
    promises: usize,
    torn: u32,
    /// Promised, and not there any more.
    lost: u32,
    /// The most temporary files that one loss has left.
    most_temps: usize,
}

/// So many losses of power for each workload, and for all of them together if the variable says so.
fn losses() -> u32 {
    let asked =
        env::var("UNDERPIN_CRASH_LOSSES").ok().map(|count| count.parse().expect("a number"));
    asked.unwrap_or(full_or(2_000, 66))
}

/// Runs a workload on each kind of disk, and has `look` look at what is left.
fn suffer(
    workload: &str,
    losses: u32,
    mut look: impl FnMut(&Path, &[u64], &mut Tally) -> u64,
) -> Result<Tally, Skip> {
    let mut tally = Tally::default();
    for options in OPTIONS {
        let mut disk = Disk::new(options)?;
        let mut first = 1;
        for loss in 0..losses.div_ceil(3) {
            // A new file now and then, because some grow.
            let path = disk.path().join(format!("{workload}-{}", loss / 20));
            if loss % 20 == 0 {
                first = 1;
            }
            let mut command = crash(workload, &path);
            command.arg(first.to_string());
            let mut writer = Writer::spawn(command);
            pause(AT_MOST);
            let promised = writer.promised();
            disk.cut_off(if random(2) == 0 { Loss::Data } else { Loss::All });
            drop(writer);
            disk.restart();
            tally.losses += 1;
            tally.promises += promised.len();
            first = look(&path, &promised, &mut tally) + 1;
            let temps = temps(&disk.path());
            tally.most_temps = tally.most_temps.max(temps);
            let swept = sweep_stale(disk.path(), Duration::ZERO).expect("it sweeps");
            assert_eq!(swept, temps, "what is left is swept up");
        }
    }
    tell(&format!(
        "{workload}: {} losses of power, {} promises, {} torn, {} lost, at most {} temporary files",
        tally.losses, tally.promises, tally.torn, tally.lost, tally.most_temps
    ));
    Ok(tally)
}

/// A process that writes, and that is heard only as long as there is power.
///
/// What it says after that does not count: a flush that is under way when ext4 stops may be told that all is well, because the transaction it waits
/// for has gone and is taken for done. Where the power has really gone, nobody is told anything.
struct Writer {
    process: process::Child,
    stdout: ChildStdout,
}

impl Writer {
    fn spawn(mut command: Command) -> Writer {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("it starts");
        let stdout = process.stdout.take().expect("it is piped");
        fcntl_setfl(&stdout, OFlags::NONBLOCK).expect("a pipe can do that");
        Writer { process, stdout }
    }

    /// What it has promised so far.
    fn promised(&mut self) -> Vec<u64> {
        let mut said = Vec::new();
        let end = self.stdout.read_to_end(&mut said);
        assert!(end.is_err(), "it has ended by itself");
        promised(&String::from_utf8(said).expect("digits"))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn temps(dir: &Path) -> usize {
    let is_temp = |entry: &PathBuf| entry.to_string_lossy().ends_with(".tmp~");
    fs::read_dir(dir)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(is_temp)
        .count()
}

/// Compares what is there with what was promised last, and returns what is there.
fn compare(there: Option<u64>, promised: &[u64], before: &mut u64, tally: &mut Tally) -> u64 {
    let last = promised.last().copied().unwrap_or(*before);
    let there = there.unwrap_or(0);
    if there < last {
        tally.lost += 1;
    }
    *before = there;
    there
}

/// Looks at a file that is replaced.
fn replaced() -> impl FnMut(&Path, &[u64], &mut Tally) -> u64 {
    let mut files: (PathBuf, u64) = Default::default();
    move |path, promised, tally| {
        if files.0 != path {
            files = (path.to_owned(), 0);
        }
        let there = fs::read(path).ok();
        let whole = there.as_deref().and_then(number);
        if there.is_some() && whole.is_none() {
            tally.torn += 1;
        }
        compare(whole, promised, &mut files.1, tally)
    }
}

#[test]
fn replaced_file_is_whole_and_no_older_than_promised() {
    let tally = or_skip!(suffer("atomic", losses(), replaced()));
    assert_eq!((tally.torn, tally.lost), (0, 0));
    assert!(tally.most_temps <= 1 && tally.promises > 0);
}

#[test]
fn updated_document_is_whole_and_no_older_than_promised() {
    let mut files: (PathBuf, u64) = Default::default();
    let tally = or_skip!(suffer("update", losses(), |path, promised, tally| {
        if files.0 != path {
            files = (path.to_owned(), 0);
        }
        let there = path.exists().then(|| read_json::<u64>(path, 100).ok());
        if there == Some(None) {
            tally.torn += 1;
        }
        compare(there.flatten(), promised, &mut files.1, tally)
    }));
    assert_eq!((tally.torn, tally.lost), (0, 0));
    assert!(tally.most_temps <= 1 && tally.promises > 0);
}

#[test]
fn appended_records_are_there_once_they_are_promised() {
    let (mut file, mut all) = (PathBuf::new(), BTreeSet::new());
    let tally = or_skip!(suffer("append", losses(), |path, promised, tally| {
        if file != path {
            (file, all) = (path.to_owned(), BTreeSet::new());
        }
        all.extend(promised);
        let there: BTreeSet<u64> = if path.exists() {
            // Lines that are no record were never promised; the next ones are whole because they are ended when the log is opened.
            let records = read_jsonl::<serde_json::Value>(path).skip_malformed();
            records
                .map(|record| record.expect("it can be read")["n"].as_u64().expect("a number"))
                .collect()
        } else {
            BTreeSet::new()
        };
        tally.lost += u32::try_from(all.difference(&there).count()).expect("few");
        all.last().max(there.last()).copied().unwrap_or(0) + 100
    }));
    assert_eq!(tally.lost, 0);
    assert!(tally.promises > 0);
}

/// What is often done instead does lose, or the tests above could not fail.
#[test]
fn what_is_not_flushed_is_lost_or_torn() {
    or_skip!(fails("plain-write", |tally| tally.torn + tally.lost));
    or_skip!(fails("rename", |tally| tally.torn + tally.lost));
    // With the file flushed, but not its folder, nothing is torn; but it is not there.
    or_skip!(fails("flush-and-rename", |tally| tally.lost));
}

/// Cuts the power until the workload has failed. The least likely to fail does so in one loss of ten.
fn fails(workload: &str, failures: fn(&Tally) -> u32) -> Result<(), Skip> {
    for _ in 0..30 {
        if failures(&suffer(workload, full_or(200, 30), replaced())?) > 0 {
            return Ok(());
        }
    }
    panic!("{workload} has survived, so it does not show that the power was cut off");
}
