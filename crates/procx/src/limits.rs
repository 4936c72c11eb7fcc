//! What a child may use.

use std::time::Duration;

/// Limits of a child and of what it starts. None is set unless asked for.
///
/// On Linux they hold from the first instruction on.
/// Where std has to start the child, because a filter forbids `clone3`, all but the nice value are set right after that, some tens of microseconds into its life.
/// Elsewhere only the nice value is known, and asking for another limit is an error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use = "limits do nothing before they are given to `Cmd::limits`"]
pub struct Limits {
    pub(crate) open_files: Option<u64>,
    pub(crate) cpu_seconds: Option<u64>,
    pub(crate) address_space: Option<u64>,
    pub(crate) file_size: Option<u64>,
    pub(crate) core: Option<u64>,
    pub(crate) nice: Option<i32>,
}

impl Limits {
    /// No limits.
    pub fn new() -> Limits {
        Limits::default()
    }

    /// File descriptors, for each process (`RLIMIT_NOFILE`).
    pub fn open_files(self, count: u64) -> Limits {
        Limits { open_files: Some(count), ..self }
    }

    /// Time on a processor, for each process, rounded up to a second (`RLIMIT_CPU`). A process that uses more gets SIGKILL.
    pub fn cpu(self, time: Duration) -> Limits {
        let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
        Limits { cpu_seconds: Some(seconds), ..self }
    }

    /// Bytes of address space, for each process (`RLIMIT_AS`).
    pub fn address_space(self, bytes: u64) -> Limits {
        Limits { address_space: Some(bytes), ..self }
    }

    /// Bytes of each file that is written (`RLIMIT_FSIZE`).
    pub fn file_size(self, bytes: u64) -> Limits {
        Limits { file_size: Some(bytes), ..self }
    }

    /// Bytes of a core dump (`RLIMIT_CORE`); 0 for none.
    pub fn core(self, bytes: u64) -> Limits {
        Limits { core: Some(bytes), ..self }
    }

    /// The nice value, from 0 to 19; a negative one needs a privilege.
    pub fn nice(self, value: i32) -> Limits {
        Limits { nice: Some(value), ..self }
    }
}
