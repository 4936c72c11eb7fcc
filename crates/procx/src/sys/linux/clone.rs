//! Starting a process by `clone3`, which can do what `posix_spawn` cannot: put it into a cgroup, and limit it, before its first instruction.
//!
//! Like `posix_spawn`, and unlike `fork`, it shares the memory of the parent until the exec, so that its cost does not depend on how much that is.
//! The child runs on a stack of its own while the thread that starts it stands still.
#![expect(unsafe_code, reason = "no safe interface starts a process with all of this at once")]

use std::{
    arch::asm,
    env,
    ffi::{CString, OsStr, c_char, c_int},
    fs::File,
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsRawFd, FromRawFd as _, OwnedFd, RawFd},
        unix::ffi::OsStrExt as _,
    },
    process, ptr,
    sync::LazyLock,
};

use rustix::{
    io::{fcntl_dupfd_cloexec, retry_on_intr},
    process::{Pid, WaitId, WaitIdOptions, waitid},
};

use super::{Leader, start::resources};
use crate::{limits::Limits, program::Image};

/// What the child calls needs some hundred bytes.
const STACK: usize = 64 << 10;

// Of 64 bits, which libc does not have yet.
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// What the kernel is told; version 2 of the structure.
#[repr(C)]
#[derive(Default)]
struct Args {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// All that the child needs, made before it is there: it must not allocate.
struct Plan {
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    cwd: *const c_char,
    stdio: [RawFd; 3],
    limits: *const (c_int, libc::rlimit64),
    limit_count: usize,
    nice: Option<c_int>,
    parent: libc::pid_t,
    /// What went wrong in the child; 0 if nothing did.
    error: c_int,
}

/// Says whether there is such a call: a filter may forbid it, as some containers do.
pub(super) fn is_available() -> bool {
    static AVAILABLE: LazyLock<bool> = LazyLock::new(|| {
        let forbidden = env::var_os("PROCX_SPAWN").is_some_and(|value| value == "std");
        // SAFETY: it reads no memory, because it fails for want of any.
        let call = || unsafe { libc::syscall(libc::SYS_clone3, ptr::null::<Args>(), 0) };
        !forbidden && call() < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL)
    });
    *AVAILABLE
}

/// Starts it; `Unsupported` if the kernel does not have or allow this.
pub(super) fn spawn(image: &Image, limits: &Limits, cgroup: Option<&File>) -> io::Result<Leader> {
    if !is_available() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let strings = Strings::new(image)?;
    let (argv, envp) = (pointers(&strings.argv), pointers(&strings.env));
    // The numbers 0 to 2 are the ones that are replaced.
    let [input, output, errors] = &image.stdio;
    let streams = [above_2(input)?, above_2(output)?, above_2(errors)?];
    let limit_list: Vec<(c_int, libc::rlimit64)> = resources(limits)
        .into_iter()
        .map(|(resource, limit)| {
            let value = limit.maximum.unwrap_or(libc::RLIM64_INFINITY);
            (resource as c_int, libc::rlimit64 { rlim_cur: value, rlim_max: value })
        })
        .collect();
    let mut plan = Plan {
        path: strings.path.as_ptr(),
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        cwd: strings.cwd.as_ref().map_or(ptr::null(), |cwd| cwd.as_ptr()),
        stdio: streams.each_ref().map(AsRawFd::as_raw_fd),
        limits: limit_list.as_ptr(),
        limit_count: limit_list.len(),
        nice: limits.nice,
        parent: process::id().cast_signed(),
        error: 0,
    };
    let mut stack: Vec<MaybeUninit<u128>> = Vec::with_capacity(STACK / size_of::<u128>());
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD;
    let mut request = Args {
        // No handler of the parent may run in the child.
        flags: u64::from(flags.cast_unsigned()) | CLONE_CLEAR_SIGHAND,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        stack: stack.as_mut_ptr() as u64,
        stack_size: STACK as u64,
        ..Args::default()
    };
    if let Some(cgroup) = cgroup {
        request.flags |= CLONE_INTO_CGROUP;
        request.cgroup = u64::from(cgroup.as_raw_fd().cast_unsigned());
    }
    // SAFETY: `request` describes memory that outlives the call: because of CLONE_VFORK the call returns when the child has given
    // up this memory. The child is alone on its stack, begins in `child` with the plan, and does not return.
    let pid = unsafe { clone3(&mut request, &mut plan) };
    // SAFETY: the child writes to it, which the compiler cannot see.
    let error = unsafe { ptr::read_volatile(&raw const plan.error) };
    if let Ok(failed) = c_int::try_from(-pid)
        && failed > 0
    {
        return Err(match failed {
            // Too old for a flag, or a cgroup that nothing can be started in.
            libc::EINVAL | libc::EPERM => io::ErrorKind::Unsupported.into(),
            libc::EACCES | libc::EBUSY | libc::EOPNOTSUPP | libc::ENODEV | libc::ENOENT
                if cgroup.is_some() =>
            {
                io::ErrorKind::Unsupported.into()
            }
            _ => io::Error::from_raw_os_error(failed),
        });
    }
    // SAFETY: the kernel has opened it for us.
    let descriptor = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let pid = c_int::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("the kernel gave no process id"))?;
    let leader = Leader { pid, descriptor };
    if error == 0 {
        return Ok(leader);
    }
    // It has exited, or is about to.
    let _ = retry_on_intr(|| waitid(WaitId::Pid(leader.pid), WaitIdOptions::EXITED));
    Err(io::Error::from_raw_os_error(error))
}

fn above_2(descriptor: &OwnedFd) -> io::Result<OwnedFd> {
    Ok(fcntl_dupfd_cloexec(descriptor, 3)?)
}

struct Strings {
    path: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
    cwd: Option<CString>,
}

impl Strings {
    fn new(image: &Image) -> io::Result<Strings> {
        let string = |text: &OsStr| CString::new(text.as_bytes()).map_err(io::Error::from);
        let variable = |(name, value): &(std::ffi::OsString, std::ffi::OsString)| {
            string(&[name.as_os_str(), value.as_os_str()].join(OsStr::new("=")))
        };
        Ok(Strings {
            path: string(image.path.as_os_str())?,
            argv: image.argv.iter().map(|arg| string(arg)).collect::<io::Result<_>>()?,
            env: image.env.iter().map(variable).collect::<io::Result<_>>()?,
            cwd: image.cwd.as_ref().map(|cwd| string(cwd.as_os_str())).transpose()?,
        })
    }
}

/// With a null at the end.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// Calls the kernel. In the child it goes on in [`child`], on the other stack; in the parent it gives the process id, or an error below 0.
///
/// # Safety
///
/// `args` must name a stack that nobody else uses, and have `CLONE_VM` and `CLONE_VFORK` set, so that the plan outlives the child's use of it.
unsafe fn clone3(args: &mut Args, plan: &mut Plan) -> i64 {
    let result: i64;
    // SAFETY: the caller's. The registers survive in both processes, but for those that the instruction overwrites; of the
    // child's stack only `child` makes use.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, {plan}",
            "call {child}",
            "ud2",
            "2:",
            plan = in(reg) plan,
            child = in(reg) child as extern "C" fn(&mut Plan) -> !,
            inout("rax") libc::SYS_clone3 => result,
            in("rdi") args,
            in("rsi") size_of::<Args>(),
            out("rcx") _,
            out("r11") _,
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, {plan}",
            "blr {child}",
            "brk #1",
            "2:",
            plan = in(reg) plan,
            child = in(reg) child as extern "C" fn(&mut Plan) -> !,
            inout("x0") args as *mut Args as i64 => result,
            in("x1") size_of::<Args>(),
            in("x8") libc::SYS_clone3,
            out("x30") _,
        );
    }
    result
}

/// What the child does. It shares all memory with its parent: it may only make system calls, and must neither allocate nor panic.
extern "C" fn child(plan: &mut Plan) -> ! {
    // SAFETY: the pointers are those of `spawn`, which stands still; all of these functions are thin around a system call.
    unsafe {
        let error = match become_it(plan) {
            0 => *libc::__errno_location(),
            error => error,
        };
        ptr::write_volatile(&raw mut plan.error, error);
        libc::_exit(127)
    }
}

/// Returns only if something fails: an error, or 0 for the one in `errno`.
///
/// # Safety
///
/// As for [`child`].
unsafe fn become_it(plan: &Plan) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        // The parent is the thread that never ends. It may have been killed before this holds.
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong) != 0 {
            return 0;
        }
        if libc::getppid() != plan.parent {
            return libc::ESRCH;
        }
        if libc::setpgid(0, 0) != 0 {
            return 0;
        }
        if let Some(nice) = plan.nice
            && libc::setpriority(libc::PRIO_PROCESS, 0, nice) != 0
        {
            return 0;
        }
        for (number, descriptor) in (0..).zip(plan.stdio) {
            if libc::dup2(descriptor, number) < 0 {
                return 0;
            }
        }
        // Descriptors that somebody has opened without care. Since Linux 5.11, and not needed by ours.
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
        if !plan.cwd.is_null() && libc::chdir(plan.cwd) != 0 {
            return 0;
        }
        // What is ignored stays so in the new program. Rust ignores the one, and by the other it is asked to end.
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::signal(libc::SIGTERM, libc::SIG_DFL);
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
        // The last of all, so that none hinders the rest.
        for at in 0..plan.limit_count {
            let (resource, limit) = &*plan.limits.add(at);
            if libc::prlimit64(0, resource.cast_unsigned() as _, limit, ptr::null_mut()) != 0 {
                return 0;
            }
        }
        libc::execve(plan.path, plan.argv, plan.envp);
        0
    }
}
