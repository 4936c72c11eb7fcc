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
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use rustix::process::{Signal, WaitIdStatus, kill_process_group};

use self::{cgroup::Cgroup, sweep::Sweep};
use crate::{
    containment::Containment,
    limits::Limits,
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
    pub(crate) fn start(
        command: &mut Command,
        limits: &Limits,
        minimum: Containment,
    ) -> Result<Tree, Refusal> {
        let cgroup = match minimum {
            Containment::Cgroup => match Cgroup::create() {
                Some(cgroup) => Some(cgroup),
                None => return Err(Refusal::Containment(strongest())),
            },
            _ => None,
        };
        let mark = format!("{:016x}{:016x}", random(), random());
        command.env(MARK, nested(&mark));
        let child = sys::spawn(command, limits)?;
        let leader = match Leader::new(&child) {
            Ok(leader) => leader,
            Err(error) => {
                abandon(child);
                return Err(error.into());
            }
        };
        let sweep = Sweep::of(leader.pid, mark);
        let mut tree = Tree { leader, sweep, cgroup, reaped: Mutex::new(false) };
        if let Err(refusal) = tree.contain(limits, minimum) {
            tree.kill();
            // SIGKILL takes a moment, and this happens once in a blue moon.
            while matches!(tree.reap(), Ok(None)) {
                thread::yield_now();
            }
            return Err(refusal);
        }
        Ok(tree)
    }

    fn contain(&mut self, limits: &Limits, minimum: Containment) -> Result<(), Refusal> {
        if let Some(cgroup) = &self.cgroup {
            cgroup.add(self.leader.pid)?;
            if sys::is_alone(&self.leader) {
                // Nothing was started before it was inside, so nothing is outside.
                self.sweep = None;
            }
        }
        if self.containment() < minimum {
            return Err(Refusal::Containment(self.containment()));
        }
        Ok(sys::limit(&self.leader, limits)?)
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
        if *self.lock() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(kill_process_group(self.leader.pid, signal)?)
    }

    /// The processes that are alive beside the leader, which is not reaped yet.
    pub(crate) fn others(&self) -> Vec<u32> {
        if sys::is_alone(&self.leader) {
            return Vec::new();
        }
        let leader = self.id();
        let mut found: Vec<u32> =
            self.cgroup.iter().flat_map(Cgroup::members).filter(|pid| *pid != leader).collect();
        found.extend(self.sweep.iter().flat_map(Sweep::others));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Sends SIGKILL to everything that is found, and says how many processes that were, beside the leader.
    pub(crate) fn kill(&self) -> u32 {
        // Held to the end: what is found is only ours as long as the leader is not reaped.
        let reaped = self.lock();
        if *reaped {
            return 0;
        }
        let mut killed = 0;
        if !sys::is_alone(&self.leader) {
            killed += self.cgroup.as_ref().map_or(0, |cgroup| cgroup.kill(self.id()));
            killed += self.sweep.as_ref().map_or(0, Sweep::kill);
        }
        // After the sweep, which follows parents to their children.
        let _ = kill_process_group(self.leader.pid, Signal::KILL);
        killed
    }

    /// Reaps the leader, if it has ended, as the last thing that is done with it.
    pub(crate) fn reap(&self) -> io::Result<Option<Exit>> {
        let mut reaped = self.lock();
        let status = self.leader.reap()?;
        *reaped = status.is_some();
        Ok(status.as_ref().map(exit))
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

/// Without a descriptor there is no way to hold it.
fn abandon(mut child: std::process::Child) {
    let _ = child.kill();
    let _ = child.wait();
}
