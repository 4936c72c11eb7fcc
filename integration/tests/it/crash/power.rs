//! The power goes at a random moment: what was promised is there, and nothing is torn.

use std::{
    collections::BTreeSet,
    env, fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{self, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{OFlags, fcntl_setfl};
use testkit::{Skip, full_or, or_skip};
use underpin_fsx::blocking::{read_json, read_jsonl, sweep_stale};

use super::{
    PATIENCE, crash,
    disk::{Disk, Loss},
    number, pause, promised, random, tell,
};

/// How ext4 is mounted: as it is by default, without what hides the mistakes of others, and without any order between data and names.
const OPTIONS: [&str; 3] = ["", "noauto_da_alloc", "noauto_da_alloc,data=writeback"];

/// A process gets so long at most: some of it is its start.
const AT_MOST: Duration = Duration::from_millis(25);

/// What a workload has come to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) losses: u32,
    pub(super) promises: usize,
    pub(super) torn: u32,
    /// Promised, and not there any more.
    pub(super) lost: u32,
    /// Temporary files that were left.
    pub(super) left: usize,
    /// The most that one loss has left.
    most_left: usize,
    /// Those of them that `sweep_stale` did not know.
    unknown: usize,
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
    look: impl FnMut(&Path, &[u64], &mut Tally) -> u64,
) -> Result<Tally, Skip> {
    let mut tally = Tally::default();
    let start = |path: &Path, first| Writer::spawn(crash(workload, path), first);
    suffer_more(&mut tally, workload, losses, start, look)?;
    tell(&format!(
        "{workload}: {} losses of power, {} promises, {} torn, {} lost, at most {} temporary files",
        tally.losses, tally.promises, tally.torn, tally.lost, tally.most_left
    ));
    Ok(tally)
}

/// The same of any program, and adds to a tally.
pub(super) fn suffer_more(
    tally: &mut Tally,
    workload: &str,
    losses: u32,
    start: impl Fn(&Path, u64) -> Writer,
    mut look: impl FnMut(&Path, &[u64], &mut Tally) -> u64,
) -> Result<(), Skip> {
    for options in OPTIONS {
        let mut disk = Disk::new(options)?;
        let mut first = 1;
        for loss in 0..losses.div_ceil(3) {
            // A new file now and then, because some grow.
            let path = disk.path().join(format!("{workload}-{}", loss / 20));
            if loss % 20 == 0 {
                first = 1;
            }
            let mut writer = start(&path, first);
            pause(AT_MOST);
            let promised = writer.promised();
            disk.cut_off(if random(2) == 0 { Loss::Data } else { Loss::All });
            drop(writer);
            disk.restart();
            tally.losses += 1;
            tally.promises += promised.len();
            first = look(&path, &promised, tally) + 1;
            let left = temps(&disk.path(), workload).len();
            tally.left += left;
            tally.most_left = tally.most_left.max(left);
            sweep_stale(disk.path(), Duration::ZERO).expect("it sweeps");
            let unknown = temps(&disk.path(), workload);
            tally.unknown += unknown.len();
            for temp in unknown {
                fs::remove_file(temp).expect("it can be removed");
            }
        }
    }
    Ok(())
}

/// A process that writes, and that is heard only as long as there is power.
///
/// What it says after that does not count: a flush that is under way when ext4 stops may be told that all is well, because the transaction it waits
/// for has gone and is taken for done. Where the power has really gone, nobody is told anything.
pub(super) struct Writer {
    process: process::Child,
    stdout: ChildStdout,
    said: Vec<u8>,
}

impl Writer {
    pub(super) fn spawn(mut command: Command, first: u64) -> Writer {
        command.arg(first.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("it starts");
        let stdout = process.stdout.take().expect("it is piped");
        fcntl_setfl(&stdout, OFlags::NONBLOCK).expect("a pipe can do that");
        Writer { process, stdout, said: Vec::new() }
    }

    /// Waits for its first promise: some programs take longer to start than they have.
    pub(super) fn begun(mut self) -> Writer {
        let begin = Instant::now();
        while self.said.is_empty() {
            self.listen();
            assert!(begin.elapsed() < PATIENCE, "it does not begin");
            thread::sleep(Duration::from_millis(1)); // sleep-ok: polls until it begins
        }
        self
    }

    /// What it has promised so far.
    fn promised(&mut self) -> Vec<u64> {
        self.listen();
        promised(std::str::from_utf8(&self.said).expect("digits"))
    }

    fn listen(&mut self) {
        let end = self.stdout.read_to_end(&mut self.said);
        assert!(end.is_err(), "it has ended by itself");
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What is neither a file of the workload nor a lock beside it.
fn temps(dir: &Path, workload: &str) -> Vec<PathBuf> {
    let is_temp = |entry: &PathBuf| {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        let number = name.strip_prefix(workload).and_then(|name| name.strip_prefix('-'));
        let number = number.map(|number| number.strip_suffix(".lock").unwrap_or(number));
        name != "lost+found" && number.is_none_or(|number| number.parse::<u32>().is_err())
    };
    let entries = fs::read_dir(dir).expect("a folder");
    entries.map(|entry| entry.expect("an entry").path()).filter(is_temp).collect()
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
pub(super) fn replaced() -> impl FnMut(&Path, &[u64], &mut Tally) -> u64 {
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
    assert_eq!((tally.torn, tally.lost, tally.unknown), (0, 0, 0));
    assert!(tally.most_left <= 1 && tally.promises > 0);
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
    assert_eq!((tally.torn, tally.lost, tally.unknown), (0, 0, 0));
    assert!(tally.most_left <= 1 && tally.promises > 0);
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
