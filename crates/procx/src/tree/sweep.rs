//! Finding what descends from a process in `/proc`, and ending all of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Read as _,
    os::fd::OwnedFd,
    process,
    sync::{Mutex, PoisonError},
};

use rustix::process::{Pid, Signal};

use crate::sys;

/// Each round stops what the last one has missed. What is stopped starts nothing, so this is about new processes that were started in between.
const ROUNDS: usize = 64;

/// Says whether there is a `/proc` to look into.
pub(super) fn is_available() -> bool {
    stat(process::id().cast_signed()).is_some()
}

/// What is known of a tree whose leader is not reaped.
#[derive(Debug)]
pub(super) struct Sweep {
    leader: Process,
    mark: String,
    owner: i32,
    /// A child of the owner is not of this tree, unless the owner adopts orphans.
    adopts: bool,
    /// What was found before: it belongs to the tree, even if its parent is gone by now.
    known: Mutex<Vec<Process>>,
}

/// What was seen in one look at `/proc`, for all who need it at about the same time.
#[derive(Debug, Default)]
pub(crate) struct Glance(Option<Vec<Process>>);

/// A line of `/proc/*/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: i32,
    parent: i32,
    group: i32,
    session: i32,
    /// In ticks since boot: with the number it says which process this is.
    born: u64,
    ended: bool,
}

impl Sweep {
    pub(super) fn of(leader: Pid, mark: String) -> Option<Sweep> {
        let leader = stat(leader.as_raw_pid())?;
        let owner = process::id().cast_signed();
        Some(Sweep { leader, mark, owner, adopts: sys::adopts(), known: Mutex::default() })
    }

    /// What is alive beside the leader, by a glance that is younger than the end of the leader, if that has ended.
    pub(super) fn others(&self, glance: &mut Glance) -> Vec<u32> {
        let all = glance.0.get_or_insert_with(processes);
        let found = self.find(all).into_iter().filter(|process| process.pid != self.leader.pid);
        found.map(|process| process.pid.unsigned_abs()).collect()
    }

    /// Stops everything, until nothing new is found, and then kills it; says how many that were beside the leader.
    ///
    /// Whoever is killed first would take the trace to its children along.
    pub(super) fn kill(&self) -> u32 {
        let mut stopped: BTreeMap<i32, OwnedFd> = BTreeMap::new();
        for _ in 0..ROUNDS {
            let before = stopped.len();
            for found in self.find(&processes()) {
                if !stopped.contains_key(&found.pid)
                    && let Some(process) = open(found)
                {
                    sys::send(&process, Signal::STOP);
                    stopped.insert(found.pid, process);
                }
            }
            if stopped.len() == before {
                break;
            }
        }
        for process in stopped.values() {
            sys::send(process, Signal::KILL);
        }
        let others = stopped.keys().filter(|pid| **pid != self.leader.pid).count();
        u32::try_from(others).unwrap_or(u32::MAX)
    }

    /// The processes of the tree that have not ended.
    fn find(&self, all: &[Process]) -> Vec<Process> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let belongs = |process: &Process| {
            let is_known = |known: &Process| (known.pid, known.born) == (process.pid, process.born);
            known.iter().any(is_known) || self.is_marked(process.pid)
        };
        let mut found = descendants(all, self.leader, self.owner, self.adopts, belongs);
        found.retain(|process| !process.ended);
        known.clone_from(&found);
        found
    }

    fn is_marked(&self, pid: i32) -> bool {
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
        environment.split(|byte| *byte == 0).any(|variable| {
            let value = variable.strip_prefix(b"PROCX_TREE=");
            value.is_some_and(|value| {
                value.split(|byte| *byte == b':').any(|mark| mark == self.mark.as_bytes())
            })
        })
    }
}

/// A descriptor of exactly this process.
fn open(process: Process) -> Option<OwnedFd> {
    let descriptor = sys::hold(Pid::from_raw(process.pid)?)?;
    // The number may have got to another one before it was opened.
    (stat(process.pid)?.born == process.born).then_some(descriptor)
}

/// The leader and what belongs to it: by parent, by a group that one of them has founded, by a session other than the leader's, which can only be reached by founding it, and by what is known of it or stands in its environment.
///
/// What is older than the leader, its owner, and what else the owner has started do not. Of an owner that adopts orphans, nobody can say what it has started.
fn descendants(
    all: &[Process],
    leader: Process,
    owner: i32,
    adopts: bool,
    belongs: impl Fn(&Process) -> bool,
) -> Vec<Process> {
    let foreign = |process: &Process| {
        process.born < leader.born || process.pid == owner || (process.parent == owner && !adopts)
    };
    let mut rest: Vec<Process> = Vec::new();
    let mut found: Vec<Process> = Vec::new();
    for process in all {
        if process.pid == leader.pid {
            found.push(*process);
        } else if !foreign(process) {
            rest.push(*process);
        }
    }
    let mut pids = BTreeSet::from([leader.pid]);
    let mut sessions = BTreeSet::new();
    let mut look_at_marks = true;
    loop {
        let before = found.len();
        rest.retain(|process| {
            let ours = pids.contains(&process.parent)
                || pids.contains(&process.group)
                || sessions.contains(&process.session);
            if ours {
                pids.insert(process.pid);
                if process.session != leader.session {
                    sessions.insert(process.session);
                }
                found.push(*process);
            }
            !ours
        });
        if found.len() > before {
            continue;
        }
        if !std::mem::take(&mut look_at_marks) {
            return found;
        }
        // Dearer than all the rest, so it is asked of those who are still in doubt, and once.
        rest.retain(|process| {
            let ours = !process.ended && belongs(process);
            if ours {
                pids.insert(process.pid);
                if process.session != leader.session {
                    sessions.insert(process.session);
                }
                found.push(*process);
            }
            !ours
        });
    }
}

fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(stat).collect()
}

fn stat(pid: i32) -> Option<Process> {
    let mut line = [0; 1024];
    let length = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut line).ok()?;
    parse(pid, &line[..length])
}

fn parse(pid: i32, line: &[u8]) -> Option<Process> {
    // A name may contain anything, parentheses and spaces too.
    let name_end = line.iter().rposition(|byte| *byte == b')')?;
    let rest = str::from_utf8(&line[name_end + 1..]).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Process {
        pid,
        ended: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        born: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Process, descendants, parse};

    const OWNER: i32 = 10;

    fn process(pid: i32, parent: i32, group: i32, session: i32) -> Process {
        Process { pid, parent, group, session, born: 100, ended: false }
    }

    fn found(all: &[Process], marked: &[i32]) -> Vec<i32> {
        found_by(all, marked, false)
    }

    fn found_by(all: &[Process], marked: &[i32], adopts: bool) -> Vec<i32> {
        let leader = process(20, OWNER, 20, 5);
        let mut all = all.to_vec();
        all.extend([leader, process(OWNER, 1, OWNER, 5), process(21, OWNER, 21, 5)]);
        let found =
            descendants(&all, leader, OWNER, adopts, |process| marked.contains(&process.pid));
        let mut pids: Vec<i32> = found.iter().map(|process| process.pid).collect();
        pids.sort_unstable();
        pids
    }

    #[test]
    fn children_are_followed_through_sessions_and_groups_of_their_own() {
        let all = [process(30, 20, 30, 30), process(31, 30, 31, 30), process(32, 21, 21, 5)];
        assert_eq!(found(&all, &[]), [20, 30, 31]);
    }

    #[test]
    fn one_that_lost_its_parent_is_found_by_its_group() {
        assert_eq!(found(&[process(30, 1, 20, 5)], &[]), [20, 30]);
    }

    #[test]
    fn one_that_left_for_good_is_found_by_its_mark_and_leads_to_its_session() {
        // 30 founded the session and is gone; 32 has cleared its environment.
        let all = [process(31, 1, 30, 30), process(32, 1, 32, 30), process(33, 32, 32, 30)];
        assert_eq!(found(&all, &[31]), [20, 31, 32, 33]);
        assert_eq!(found(&all, &[]), [20]);
    }

    #[test]
    fn an_orphan_that_the_owner_has_adopted_is_found_by_its_mark() {
        let orphan = [process(30, OWNER, 30, 30)];
        assert_eq!(found_by(&orphan, &[30], true), [20, 30]);
        assert_eq!(found_by(&orphan, &[], true), [20], "the other child of the owner is not");
    }

    #[test]
    fn the_session_of_the_owner_says_nothing() {
        assert_eq!(found(&[process(30, 20, 20, 5), process(40, 1, 40, 5)], &[]), [20, 30]);
    }

    #[test]
    fn what_is_older_than_the_leader_is_not_its_child() {
        let old = Process { born: 99, ..process(30, 20, 20, 5) };
        assert_eq!(found(&[old], &[30]), [20]);
    }

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let line = b"7 (a) R 1 (x) S 20 30 40 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987 1 2\n";
        let parsed = parse(7, line).expect("a line of stat");
        assert_eq!((parsed.parent, parsed.group, parsed.session), (20, 30, 40));
        assert_eq!((parsed.born, parsed.ended), (987, false));
    }
}
