//! A child with all that descends from it.

#[cfg(not(target_os = "linux"))]
#[path = "tree/absent.rs"]
mod cgroup;
#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(not(target_os = "linux"))]
#[path = "tree/absent.rs"]
mod sweep;
#[cfg(target_os = "linux")]
mod sweep;

use std::{
    collections::hash_map::RandomState,
    env,
    ffi::OsString,
    hash::{BuildHasher as _, Hasher as _},
    io,
    os::fd::OwnedFd,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::{
    Pid, Signal, WaitIdStatus, WaitOptions, getpgid, kill_process_group, waitpgid,
};

pub(crate) use self::sweep::Glance;
use self::{cgroup::Cgroup, sweep::Sweep};
use crate::{
    containment::Containment,
    engine::Job,
    output::Exit,
    sys::{self, Leader},
};

/// The variable that marks the processes of a tree.
const MARK: &str = "PROCX_TREE";

/// What can be had here.
pub(crate) fn strongest() -> Containment {
    if Cgroup::is_available() {
        Containment::Cgroup
    } else if sweep::is_available() {
        Containment::Sweep
    } else {
        Containment::Group
    }
}

/// A running child, its process group, and what holds the rest.
#[derive(Debug)]
pub(crate) struct Tree {
    leader: Leader,
    sweep: Option<Sweep>,
    cgroup: Option<Cgroup>,
    /// Once the leader is reaped its number may be anybody's, and nothing may be sent to it.
    reaped: Mutex<bool>,
    /// What was killed and may have become a child of this process.
    adopted: Mutex<Vec<OwnedFd>>,
}

/// Why a tree did not begin.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// This is the strongest that can be had.
    Containment(Containment),
    Io(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal::Io(error)
    }
}

impl Tree {
    /// Starts a child as the leader of a process group of its own.
    pub(crate) fn start(job: &mut Job) -> Result<Tree, Refusal> {
        let mark = format!("{:016x}{:016x}", random(), random());
        job.image.env.retain(|(name, _)| name != MARK);
        job.image.env.push((MARK.into(), nested(&mark)));
        // Nothing is left in the background of a cgroup, because it ends with its owner.
        let wants_cgroup = !job.rules.background || job.minimum == Containment::Cgroup;
        if let Some(cgroup) = wants_cgroup.then(Cgroup::create).flatten() {
            match sys::spawn(&job.image, &job.limits, Some(cgroup.folder())) {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
                leader => return Ok(Tree::new(leader?, None, Some(cgroup))),
            }
        }
        let found = if sweep::is_available() { Containment::Sweep } else { Containment::Group };
        if found < job.minimum {
            return Err(Refusal::Containment(found));
        }
        let mut tree = Tree::new(sys::spawn(&job.image, &job.limits, None)?, None, None);
        if found == Containment::Sweep {
            match Sweep::of(tree.leader.pid, mark) {
                Ok(sweep) => tree.sweep = Some(sweep),
                // Nothing less than it was to be: there is no descriptor left.
                Err(error) => {
                    tree.kill();
                    while matches!(tree.reap(), Ok(None)) {
                        thread::sleep(Duration::from_millis(1));
                    }
                    return Err(error.into());
                }
            }
        }
        Ok(tree)
    }

    fn new(leader: Leader, sweep: Option<Sweep>, cgroup: Option<Cgroup>) -> Tree {
        Tree { leader, sweep, cgroup, reaped: Mutex::new(false), adopted: Mutex::default() }
    }

    pub(crate) fn containment(&self) -> Containment {
        match (&self.cgroup, &self.sweep) {
            (Some(_), _) => Containment::Cgroup,
            (None, Some(_)) => Containment::Sweep,
            (None, None) => Containment::Group,
        }
    }

    pub(crate) fn leader(&self) -> &Leader {
        &self.leader
    }

    pub(crate) fn id(&self) -> u32 {
        self.leader.pid.as_raw_pid().unsigned_abs()
    }

    /// Sends it to the process group.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        if *self.lock() || self.leader.is_gone() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(kill_process_group(self.leader.pid, signal)?)
    }

    /// The processes that are alive beside the leader, which is not reaped yet.
    ///
    /// An error is not to be taken for none.
    pub(crate) fn others(&self, glance: &mut Glance) -> io::Result<Vec<u32>> {
        if sys::is_alone(&self.leader) {
            return Ok(Vec::new());
        }
        let mut found = match (&self.cgroup, &self.sweep) {
            (Some(cgroup), _) => cgroup.members()?,
            (None, Some(sweep)) => sweep.others(glance)?,
            (None, None) => Vec::new(),
        };
        found.retain(|pid| *pid != self.id());
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Sends SIGTERM to everything that is found: to the group, and to those who have left it.
    ///
    /// Whoever is found is known from then on, even if its parent ends.
    pub(crate) fn ask_to_end(&self, glance: &mut Glance) {
        // Nobody may start another one between the look and the signal, and then end and be no trace to it any more.
        let stopped = self.sweep.as_ref().map(Sweep::stop).unwrap_or_default();
        self.adopt_others();
        let mut fresh = Glance::default();
        let glance = if stopped.is_empty() { glance } else { &mut fresh };
        self.ask_those_found(glance);
        for process in stopped.values() {
            sys::send(process, Signal::CONT);
        }
    }

    /// Whoever loses its parent becomes a child of the owner, if that adopts orphans, and is reaped as one.
    fn adopt_others(&self) {
        if sys::adopts() {
            // Or one that is started after the look would be killed and not be reaped.
            let _stopped = self.sweep.as_ref().map(Sweep::stop);
            let others = self.others(&mut Glance::default()).unwrap_or_default();
            let pids = others.iter().filter_map(|pid| Pid::from_raw(pid.cast_signed()));
            pids.filter_map(sys::hold).for_each(|process| self.adopt(process));
        }
    }

    fn ask_those_found(&self, glance: &mut Glance) {
        let others = self.others(glance).unwrap_or_default();
        let has_left = |pid: &Pid| getpgid(Some(*pid)).is_ok_and(|group| group != self.leader.pid);
        let pids = others.iter().filter_map(|pid| Pid::from_raw(pid.cast_signed()));
        let apart: Vec<(Pid, OwnedFd)> =
            pids.filter(has_left).filter_map(|pid| Some((pid, sys::hold(pid)?))).collect();
        // What is stopped cannot end.
        for signal in [Signal::TERM, Signal::CONT] {
            let _ = self.signal(signal);
        }
        if apart.is_empty() {
            return;
        }
        // A number may have got to another process before it was held.
        let still = self.others(&mut Glance::default()).unwrap_or_default();
        for (pid, process) in apart {
            if still.contains(&pid.as_raw_pid().unsigned_abs()) {
                for signal in [Signal::TERM, Signal::CONT] {
                    sys::send(&process, signal);
                }
                self.adopt(process);
            }
        }
    }

    /// Sends SIGKILL to everything that is found, and says how many processes that were, beside the leader.
    pub(crate) fn kill(&self) -> u32 {
        // Held to the end: what is found is only ours as long as the leader is not reaped.
        let reaped = self.lock();
        if *reaped {
            return 0;
        }
        let mut killed = 0;
        self.adopt_others();
        if !sys::is_alone(&self.leader) {
            killed += self.cgroup.as_ref().map_or(0, |cgroup| cgroup.kill(self.id()));
            killed += self.sweep.as_ref().map_or(0, Sweep::kill);
        }
        // After the sweep, which follows parents to their children.
        if !self.leader.is_gone() {
            let _ = kill_process_group(self.leader.pid, Signal::KILL);
        }
        killed
    }

    /// Where there is only the group, nobody can see who is left in it when its leader has ended: all that are get SIGKILL.
    pub(crate) fn kill_unseen(&self) {
        if self.containment() == Containment::Group {
            self.kill();
        }
    }

    /// Reaps the leader, if it has ended, as the last thing that is done with it.
    pub(crate) fn reap(&self) -> io::Result<Option<Exit>> {
        let mut reaped = self.lock();
        let status = self.leader.reap()?;
        *reaped = status.is_some();
        if *reaped && sys::adopts() {
            // Nobody else does, and their group is theirs for as long as one of them is left.
            while matches!(waitpgid(self.leader.pid, WaitOptions::NOHANG), Ok(Some(_))) {}
            let adopted = self.adopted.lock().unwrap_or_else(PoisonError::into_inner);
            adopted.iter().for_each(sys::reap_adopted);
        }
        Ok(status.as_ref().map(exit))
    }

    /// To be reaped in the end, if it becomes a child of this process.
    fn adopt(&self, process: OwnedFd) {
        if sys::adopts() {
            self.adopted.lock().unwrap_or_else(PoisonError::into_inner).push(process);
        }
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.reaped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn exit(status: &WaitIdStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    }
}

/// A tree inside of a tree keeps the outer mark, so that the outer one finds it.
fn nested(mark: &str) -> OsString {
    let mut value = env::var_os(MARK).unwrap_or_default();
    if !value.is_empty() {
        value.push(":");
    }
    value.push(mark);
    value
}

/// Std seeds each of these from the system's random numbers.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
