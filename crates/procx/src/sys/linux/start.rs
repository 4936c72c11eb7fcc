//! Starting a process: by our own `clone3` where the kernel allows it, and otherwise by std.

use std::{
    fs::File,
    io,
    process::{Child, Command},
    thread,
};

use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, getrlimit, pidfd_open, prlimit, setpriority_process,
};

use super::Leader;
use crate::{limits::Limits, program::Image};

/// Starts it, in this cgroup if one is given; `Unsupported` if that cannot be done.
pub(crate) fn spawn(image: &Image, limits: &Limits, cgroup: Option<&File>) -> io::Result<Leader> {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    match super::clone::spawn(image, limits, cgroup) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
        result => return result,
    }
    match cgroup {
        Some(_) => Err(io::ErrorKind::Unsupported.into()),
        None => by_std(image, limits),
    }
}

/// Says whether processes can be started in a cgroup, if there is one.
pub(crate) fn starts_in_cgroups() -> bool {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    return super::clone::is_available();
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

/// Through `posix_spawn`. Most limits can only be set after the start then.
fn by_std(image: &Image, limits: &Limits) -> io::Result<Leader> {
    let mut child = niced(&mut image.command()?, limits)?;
    let pid = Pid::from_child(&child);
    let leader = pidfd_open(pid, PidfdFlags::empty()).map(|descriptor| Leader { pid, descriptor });
    let limited = leader.map_err(io::Error::from).and_then(|leader| {
        set(Some(pid), limits)?;
        Ok(leader)
    });
    if limited.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    limited
}

/// Starts it under its nice value: a thread has one of its own, and its children inherit it.
fn niced(command: &mut Command, limits: &Limits) -> io::Result<Child> {
    let Some(nice) = limits.nice else { return command.spawn() };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("procx-nice".to_owned());
        let child = thread.spawn_scoped(scope, || {
            setpriority_process(None, nice)?;
            command.spawn()
        });
        child?
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that starts it panicked")))
    })
}

/// Sets all limits but the nice value, of that process or of this one.
fn set(pid: Option<Pid>, limits: &Limits) -> io::Result<()> {
    for (resource, limit) in resources(limits) {
        match prlimit(pid, resource, limit) {
            // It has ended already, and is not reaped before we say so.
            Ok(_) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Raising a hard limit needs a privilege; asking for more than there is means all there is.
pub(super) fn resources(limits: &Limits) -> Vec<(Resource, Rlimit)> {
    let wanted = [
        (Resource::Nofile, limits.open_files),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::As, limits.address_space),
        (Resource::Fsize, limits.file_size),
        (Resource::Core, limits.core),
    ];
    let wanted = wanted.into_iter().filter_map(|(resource, limit)| Some((resource, limit?)));
    wanted
        .map(|(resource, limit)| {
            let limit = getrlimit(resource).maximum.map_or(limit, |most| limit.min(most));
            (resource, Rlimit { current: Some(limit), maximum: Some(limit) })
        })
        .collect()
}
