//! Finding what descends from a process in `/proc`, and ending all of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read as _},
    os::fd::OwnedFd,
    process,
    sync::{Mutex, OnceLock, PoisonError},
};

use rustix::{
    io::Errno,
    process::{Pid, Signal},
};

use crate::sys;

/// Each round stops what the last one has missed. What is stopped starts nothing, so this is about new processes that were started in between.
const ROUNDS: usize = 64;

/// Says whether there is a `/proc` to look into, and it shows processes by the numbers they have here.
pub(super) fn is_available() -> bool {
    static OURS: OnceLock<bool> = OnceLock::new();
    OURS.get().copied().unwrap_or_else(|| match fs::read_to_string("/proc/self/status") {
        Ok(status) => *OURS.get_or_init(|| is_ours(&status, process::id())),
        Err(_) => false,
    })
}

/// In a process namespace that still sees the `/proc` of another one, a number stands there for a stranger.
/// A process has a number in its own namespace and in each around it; a `/proc` shows those from its own one inwards.
fn is_ours(status: &str, id: u32) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    line.split_whitespace().map(str::parse).eq([Ok(id)])
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
    pub(super) fn of(leader: Pid, mark: String) -> io::Result<Sweep> {
        let leader = stat(leader.as_raw_pid())?.ok_or(io::ErrorKind::NotFound)?;
        let owner = process::id().cast_signed();
        Ok(Sweep { leader, mark, owner, adopts: sys::adopts(), known: Mutex::default() })
    }

    /// What is alive beside the leader, by a glance that is younger than the end of the leader, if that has ended.
    pub(super) fn others(&self, glance: &mut Glance) -> io::Result<Vec<u32>> {
        if glance.0.is_none() {
            glance.0 = Some(processes()?);
        }
        let found = self.find(glance.0.as_deref().unwrap_or_default())?;
        let others = found.iter().filter(|process| process.pid != self.leader.pid);
        Ok(others.map(|process| process.pid.unsigned_abs()).collect())
    }

    /// Stops everything, until nothing new is found, and then kills it; says how many that were beside the leader.
    pub(super) fn kill(&self) -> u32 {
        let stopped = self.stop();
        for process in stopped.values() {
            sys::send(process, Signal::KILL);
        }
        let others = stopped.keys().filter(|pid| **pid != self.leader.pid).count();
        u32::try_from(others).unwrap_or(u32::MAX)
    }

    /// Stops everything, until nothing new is found.
    ///
    /// Whoever ended first would take the trace to its children along.
    pub(super) fn stop(&self) -> BTreeMap<i32, OwnedFd> {
        let mut stopped: BTreeMap<i32, OwnedFd> = BTreeMap::new();
        for _ in 0..ROUNDS {
            let before = stopped.len();
            // What cannot be seen now is looked for again by whoever waits for the end.
            let Ok(all) = processes().and_then(|all| self.find(&all)) else { break };
            for found in all {
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
        stopped
    }

    /// The processes of the tree that have not ended.
    fn find(&self, all: &[Process]) -> io::Result<Vec<Process>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unread = None;
        let belongs = |process: &Process| {
            let is_known = |known: &Process| (known.pid, known.born) == (process.pid, process.born);
            known.iter().any(is_known)
                || self.is_marked(process.pid).unwrap_or_else(|error| {
                    unread = Some(error);
                    false
                })
        };
        let mut found = descendants(all, self.leader, self.owner, self.adopts, belongs);
        if let Some(error) = unread {
            return Err(error);
        }
        found.retain(|process| !process.ended);
        known.clone_from(&found);
        Ok(found)
    }

    fn is_marked(&self, pid: i32) -> io::Result<bool> {
        let environment = if_shown(fs::read(format!("/proc/{pid}/environ")))?.unwrap_or_default();
        Ok(environment.split(|byte| *byte == 0).any(|variable| {
            let value = variable.strip_prefix(b"PROCX_TREE=");
            value.is_some_and(|value| {
                value.split(|byte| *byte == b':').any(|mark| mark == self.mark.as_bytes())
            })
        }))
    }
}

/// A descriptor of exactly this process.
fn open(process: Process) -> Option<OwnedFd> {
    let descriptor = sys::hold(Pid::from_raw(process.pid)?)?;
    // The number may have got to another one before it was opened.
    (stat(process.pid).ok()??.born == process.born).then_some(descriptor)
}

/// The leader and what belongs to it: by parent, by a group that one of them has founded, by a session other than the leader's, which can only be reached by founding it, and by what is known of it or stands in its environment.
///
/// What is older than the leader, its owner, and what else the owner has started do not. Of an owner that adopts orphans, nobody can say what it has started.
fn descendants(
    all: &[Process],
    leader: Process,
    owner: i32,
    adopts: bool,
    mut belongs: impl FnMut(&Process) -> bool,
) -> Vec<Process> {
    let foreign = |process: &Process| {
        process.born < leader.born || process.pid == owner || (process.parent == owner && !adopts)
    };
    let mut rest: Vec<Process> = Vec::new();
    let mut found: Vec<Process> = Vec::new();
    let mut pids = BTreeSet::from([leader.pid]);
    for process in all {
        if process.pid != leader.pid {
            if !foreign(process) {
                rest.push(*process);
            }
        } else if process.born == leader.born {
            found.push(*process);
        } else {
            // Somebody else has reaped the leader, and its number is a stranger's by now.
            pids.clear();
        }
    }
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

fn processes() -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        if let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
            found.extend(stat(pid)?);
        }
    }
    Ok(found)
}

fn stat(pid: i32) -> io::Result<Option<Process>> {
    let mut line = [0; 1024];
    let read = File::open(format!("/proc/{pid}/stat")).and_then(|mut file| file.read(&mut line));
    Ok(if_shown(read)?.and_then(|length| parse(pid, &line[..length])))
}

/// What has ended in the meantime, or is not for us to see, is no error; that there is no descriptor to look with is one.
fn if_shown<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    let is_hidden = |error: &io::Error| {
        matches!(
            Errno::from_io_error(error),
            Some(Errno::NOENT | Errno::SRCH | Errno::ACCESS | Errno::PERM)
        )
    };
    match result {
        Ok(shown) => Ok(Some(shown)),
        Err(error) if is_hidden(&error) => Ok(None),
        Err(error) => Err(error),
    }
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
    use super::{Process, descendants, is_ours, parse};

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
    fn a_stranger_with_the_number_of_the_leader_is_left_alone() {
        // Somebody else has reaped the leader. What is known of it by its mark still is its own.
        let stranger = Process { born: 200, ..process(20, 1, 20, 20) };
        let all = [stranger, process(30, 20, 20, 20), process(31, 1, 31, 31)];
        let leader = process(20, OWNER, 20, 5);
        let found = descendants(&all, leader, OWNER, false, |process| process.pid == 31);
        assert_eq!(found, [process(31, 1, 31, 31)]);
    }

    #[test]
    fn the_numbers_of_another_namespace_are_not_ours() {
        let status = |line: &str| format!("Name:\tx\nPid:\t7\nNSpid:\t{line}\nNSsid:\t7\n");
        assert!(is_ours(&status("7"), 7));
        assert!(!is_ours(&status("4711\t7"), 7), "it shows the numbers outside");
        assert!(!is_ours(&status("7\t7"), 7), "which may be the same");
        assert!(!is_ours("Name:\tx\n", 7));
    }

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let line = b"7 (a) R 1 (x) S 20 30 40 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987 1 2\n";
        let parsed = parse(7, line).expect("a line of stat");
        assert_eq!((parsed.parent, parsed.group, parsed.session), (20, 30, 40));
        assert_eq!((parsed.born, parsed.ended), (987, false));
    }
}
