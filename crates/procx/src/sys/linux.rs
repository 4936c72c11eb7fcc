//! Linux: processes are held by descriptors, and their ends are waited for all together.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod clone;
mod start;

use std::{
    fs::File,
    io::{self, Read as _},
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    process,
    time::Duration,
};

use rustix::{
    event::{EventfdFlags, Timespec, epoll, eventfd},
    fs::{PROC_SUPER_MAGIC, fstatfs},
    io::Errno,
    pipe::fcntl_setpipe_size,
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, child_subreaper, pidfd_open,
        pidfd_send_signal, waitid,
    },
};

pub(crate) use self::start::{spawn, starts_in_cgroups};

/// What the kernel grants without a privilege.
const LARGE_PIPE: usize = 1 << 20;
/// Before Linux 5.11 the kernel knows no wait of more than 24 days, and refuses instead of waiting.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
/// The wake-up is no child.
const WAKE_UP: u64 = u64::MAX;

/// A process that was started here and is reaped here.
#[derive(Debug)]
pub(crate) struct Leader {
    pub(crate) pid: Pid,
    descriptor: OwnedFd,
}

impl Leader {
    /// Reaps it if it has ended.
    pub(crate) fn reap(&self) -> io::Result<Option<WaitIdStatus>> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        Ok(waitid(WaitId::PidFd(self.descriptor.as_fd()), options)?)
    }

    /// Says whether it has ended, and waits to be reaped.
    pub(crate) fn has_ended(&self) -> bool {
        self.look().is_ok_and(|status| status.is_some())
    }

    /// Says whether somebody else has reaped it, and its number may be anybody's.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.look(), Err(Errno::CHILD))
    }

    fn look(&self) -> Result<Option<WaitIdStatus>, Errno> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        waitid(WaitId::PidFd(self.descriptor.as_fd()), options)
    }
}

/// The ends of children and other reasons to wake up.
#[derive(Debug)]
pub(crate) struct Ends {
    epoll: OwnedFd,
}

/// Ends a wait.
#[derive(Debug)]
pub(crate) struct Waker(OwnedFd);

impl Waker {
    pub(crate) fn wake(&self) {
        // It is full only if nobody has looked at it yet.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

impl Ends {
    pub(crate) fn new() -> io::Result<(Ends, Waker)> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake_up = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        // Edge-triggered, so that nobody has to read it.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &wake_up, epoll::EventData::new_u64(WAKE_UP), flags)?;
        Ok((Ends { epoll }, Waker(wake_up)))
    }

    /// Tells of the end of this one, once.
    pub(crate) fn watch(&self, leader: &Leader, id: u64) -> io::Result<()> {
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ONESHOT;
        Ok(epoll::add(&self.epoll, &leader.descriptor, epoll::EventData::new_u64(id), flags)?)
    }

    /// Waits for ends, a wake-up, or this long.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Vec<u64> {
        let timeout = timeout.map(|time| {
            let time = time.min(LONGEST_WAIT);
            let tv_sec = time.as_secs().try_into().unwrap_or(i64::MAX);
            Timespec { tv_sec, tv_nsec: time.subsec_nanos().into() }
        });
        let mut events = [const { MaybeUninit::uninit() }; 64];
        // It fails when a signal comes in between, and then there is nothing to tell of.
        let Ok((events, _)) = epoll::wait(&self.epoll, &mut events, timeout.as_ref()) else {
            return Vec::new();
        };
        events.iter().map(|event| event.data.u64()).filter(|id| *id != WAKE_UP).collect()
    }
}

/// Lets more fit in a pipe that is found full. The kernel may refuse: each user has a quota.
pub(crate) fn grow(pipe: impl AsFd) {
    let _ = fcntl_setpipe_size(pipe, LARGE_PIPE);
}

/// A descriptor of the process that has this number now.
pub(crate) fn hold(pid: Pid) -> Option<OwnedFd> {
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// Sends a signal to the process that is held, and to no other.
pub(crate) fn send(process: &OwnedFd, signal: Signal) {
    let _ = pidfd_send_signal(process, signal);
}

/// Says whether processes that have lost their parent become children of this one: as process 1 of a container, or because it has asked for them.
pub(crate) fn adopts() -> bool {
    process::id() == 1 || child_subreaper().is_ok_and(|adopts| adopts.is_some())
}

/// Reaps the process that is held, if it has ended and is a child of this one.
pub(crate) fn reap_adopted(process: &OwnedFd) {
    let _ = waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
}

/// Says for sure that no process was started since this one, which is not reaped yet.
///
/// The number of the last process that was started, of all that this one can see, stands at the end of `/proc/loadavg`.
/// It cannot have come round to a number that is in use.
pub(crate) fn is_alone(leader: &Leader) -> bool {
    last_started().is_ok_and(|last| last == leader.pid.as_raw_pid())
}

fn last_started() -> io::Result<i32> {
    let mut file = File::open("/proc/loadavg")?;
    // Some containers have a file of their own there, which is seconds old.
    if fstatfs(&file)?.f_type != PROC_SUPER_MAGIC {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut line = String::new();
    file.read_to_string(&mut line)?;
    let last = line.split_whitespace().last().and_then(|last| last.parse().ok());
    last.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
