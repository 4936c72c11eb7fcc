//! Other Unix systems: a thread for each child waits for its end.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, setpriority_process, waitid},
};

use crate::{limits::Limits, program::Image};

/// A process that was started here and is reaped here.
#[derive(Debug)]
pub(crate) struct Leader {
    pub(crate) pid: Pid,
}

impl Leader {
    /// Reaps it if it has ended.
    pub(crate) fn reap(&self) -> io::Result<Option<WaitIdStatus>> {
        Ok(waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG)?)
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
        waitid(WaitId::Pid(self.pid), options)
    }
}

/// The ends of children and other reasons to wake up.
#[derive(Debug)]
pub(crate) struct Ends {
    sender: Sender<Option<u64>>,
    receiver: Receiver<Option<u64>>,
}

/// Ends a wait.
#[derive(Debug)]
pub(crate) struct Waker(Sender<Option<u64>>);

impl Waker {
    pub(crate) fn wake(&self) {
        let _ = self.0.send(None);
    }
}

impl Ends {
    #[expect(clippy::unnecessary_wraps, reason = "on Linux it can fail")]
    pub(crate) fn new() -> io::Result<(Ends, Waker)> {
        let (sender, receiver) = channel();
        Ok((Ends { sender: sender.clone(), receiver }, Waker(sender)))
    }

    /// Tells of the end of this one, once.
    pub(crate) fn watch(&self, leader: &Leader, id: u64) -> io::Result<()> {
        let (pid, sender) = (leader.pid, self.sender.clone());
        thread::Builder::new().name("procx-wait".to_owned()).spawn(move || {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while matches!(waitid(WaitId::Pid(pid), options), Err(Errno::INTR)) {}
            let _ = sender.send(Some(id));
        })?;
        Ok(())
    }

    /// Waits for ends, a wake-up, or this long.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Vec<u64> {
        let first = match timeout {
            Some(timeout) => self.receiver.recv_timeout(timeout),
            None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        first.into_iter().chain(self.receiver.try_iter()).flatten().collect()
    }
}

/// Starts it, then gives it its nice value; there is no way to limit another process otherwise.
pub(crate) fn spawn(image: &Image, limits: &Limits, _: Option<&File>) -> io::Result<Leader> {
    if *limits != (Limits { nice: limits.nice, ..Limits::new() }) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let pid = Pid::from_child(&image.command()?.spawn()?);
    if let Some(nice) = limits.nice {
        // It only fails if the child has ended already, or must not be favored; both leave it as it is.
        let _ = setpriority_process(Some(pid), nice);
    }
    Ok(Leader { pid })
}

/// Pipes are as large as they are.
pub(crate) fn grow(_: impl AsFd) {}

/// There are none here.
pub(crate) fn hold(_: Pid) -> Option<OwnedFd> {
    None
}

pub(crate) fn send(_: &OwnedFd, _: Signal) {}

/// Whether it does or not, there is no way to find what it has adopted.
pub(crate) fn adopts() -> bool {
    false
}

pub(crate) fn reap_adopted(_: &OwnedFd) {}

/// Nobody knows.
pub(crate) fn is_alone(_: &Leader) -> bool {
    false
}
