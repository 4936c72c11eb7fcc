//! How surely a tree of processes is ended.

use std::fmt;

use crate::tree;

/// What holds the processes of a tree together, from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Containment {
    /// The process group of the child: a process that leaves it escapes.
    Group,
    /// The group, and what `/proc` shows to descend from the child: by parents, sessions and groups, and by a mark in the environment, which a double fork into a session of its own keeps.
    /// Only a process escapes that has left its group and session, and lost its parent, and whose environment does not show the mark, because it was cleared or overwritten, or is not for us to read.
    Sweep,
    /// A cgroup of its own, in which it is started, which no process leaves unless root or systemd moves it, and which the kernel kills as a whole.
    Cgroup,
}

impl fmt::Display for Containment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Containment::Group => "group",
            Containment::Sweep => "sweep",
            Containment::Cgroup => "cgroup",
        })
    }
}

/// The strongest containment that can be had here, which is what children get.
///
/// It is [`Cgroup`](Containment::Cgroup) where this process may make cgroups below its own: as root, or in a delegated systemd unit, but not in a usual container.
pub fn containment() -> Containment {
    tree::strongest()
}
