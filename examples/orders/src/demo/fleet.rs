//! The processes of the demo, and the socket that they have in common.

use std::{
    env, fmt, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::fd::AsRawFd as _,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::{
    io::{FdFlags, fcntl_setfd},
    process::{Pid, Signal, kill_process},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, ChildStderr, Command},
    time::timeout,
};

use super::outage::BREAKER_OPEN;

/// How long a process may take to serve.
const START: Duration = Duration::from_secs(10);
/// How long one may take to stop: its own budget, and a little.
const STOP: Duration = Duration::from_secs(27);
/// How long one that leaves still accepts everything.
const LAME_DUCK: &str = "500ms";

pub(super) struct Fleet {
    /// Open for as long as the demo runs, so that there is no moment at which nobody listens.
    listener: TcpListener,
    /// The oldest first.
    processes: Vec<Process>,
    folder: TempDir,
    /// Who is paid.
    payment_url: String,
}

struct Process {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

/// How a process ended.
#[derive(Debug)]
pub(super) struct Exit {
    pub(super) id: u32,
    pub(super) status: ExitStatus,
    /// The last that it said.
    pub(super) words: String,
}

impl Fleet {
    pub(super) fn new(payment_url: String) -> io::Result<Fleet> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        // Children inherit it, under the number that it has here.
        fcntl_setfd(&listener, FdFlags::empty())?;
        Ok(Fleet { listener, processes: Vec::new(), folder: TempDir::new()?, payment_url })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Starts one more process, and returns its id when it serves.
    #[expect(
        clippy::disallowed_methods,
        reason = "killed on drop; its start and its end are waited for within time limits"
    )]
    pub(super) async fn start(&mut self) -> io::Result<u32> {
        let mut command = Command::new(env::current_exe()?);
        command
            .args(["api", "--until-eof"])
            .env_clear()
            .env("DATA_DIR", self.folder.path())
            .env("LAME_DUCK", LAME_DUCK)
            .env("PAYMENT_URL", &self.payment_url)
            .env("BREAKER_OPEN", format!("{}s", BREAKER_OPEN.as_secs()))
            // systemd passes the number 3; to choose another, as nobody can without unsafe code, is an extension of `listenfd`.
            .env("LISTEN_FDS", "1")
            .env("LISTEN_FDS_FIRST_FD", self.listener.as_raw_fd().to_string())
            .current_dir(self.folder.path())
            // It ends when this process does, however that happens.
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let id = child.id().unwrap_or_default();
        let stderr = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut process = Process { child, stderr: BufReader::new(stderr) };
        timeout(START, process.serves()).await??;
        self.processes.push(process);
        Ok(id)
    }

    /// Asks the oldest process to stop, and waits until it has.
    pub(super) async fn stop_oldest(&mut self) -> io::Result<Exit> {
        let process = self.processes.remove(0);
        process.terminate();
        timeout(STOP, process.ended()).await?
    }

    pub(super) async fn stop_all(mut self) {
        self.processes.iter().for_each(Process::terminate);
        for process in self.processes.drain(..) {
            // One that does not end in time is killed as it is dropped.
            let _ = timeout(STOP, process.ended()).await;
        }
    }
}

impl Process {
    async fn serves(&mut self) -> io::Result<()> {
        let mut said = String::new();
        while !said.contains("orders listens on") {
            if self.stderr.read_line(&mut said).await? == 0 {
                return Err(io::Error::other(format!("a process ended before it served:\n{said}")));
            }
        }
        Ok(())
    }

    fn terminate(&self) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // One that is gone already is waited for all the same.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    async fn ended(mut self) -> io::Result<Exit> {
        let id = self.child.id().unwrap_or_default();
        let mut words = String::new();
        self.stderr.read_to_string(&mut words).await?;
        Ok(Exit { id, status: self.child.wait().await?, words })
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ended: {}\n{}", self.id, self.status, self.words.trim_end())
    }
}
