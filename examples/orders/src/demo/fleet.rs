//! The processes of the demo, and the socket that they have in common.

use std::{
    env, fmt,
    fs::File,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::fd::OwnedFd,
    path::Path,
    time::Duration,
};

use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::time::timeout;
use underpin_procx::{Child, Stdin, cmd};

use super::outage::BREAKER_OPEN;

/// How long a process may take to serve.
const START: Duration = Duration::from_secs(10);
/// How long one may take to stop before it is made to: its own budget, and a little.
const STOP: Duration = Duration::from_secs(27);
/// Each is replaced long before. One that is not was forgotten.
const LONGEST: Duration = Duration::from_secs(600);
/// How long one that leaves still accepts everything.
const LAME_DUCK: &str = "500ms";

pub(super) struct Fleet {
    /// Open for as long as the demo runs, so that there is no moment at which nobody listens.
    listener: TcpListener,
    /// The oldest first. Whoever is dropped is killed, with all that it has started; so are all when the demo is killed itself.
    processes: Vec<Child>,
    folder: TempDir,
    /// Who is paid.
    payment_url: String,
}

/// How a process ended.
#[derive(Debug)]
pub(super) struct Exit {
    pub(super) id: u32,
    pub(super) how: underpin_procx::Exit,
    /// What it said.
    pub(super) words: String,
}

impl Fleet {
    pub(super) fn new(payment_url: String) -> io::Result<Fleet> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Fleet { listener, processes: Vec::new(), folder: TempDir::new()?, payment_url })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where the processes keep their data.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts one more process, and returns its id when it serves.
    pub(super) async fn start(&mut self) -> io::Result<u32> {
        let listener = OwnedFd::from(self.listener.try_clone()?);
        let service = cmd(env::current_exe()?)
            .arg("api")
            .env_only(None::<&str>)
            .env("DATA_DIR", self.folder.path())
            // All that happens is in one file.
            .env("ACTIVITY_FILE_SIZE", "1GiB")
            .env("LAME_DUCK", LAME_DUCK)
            .env("PAYMENT_URL", &self.payment_url)
            .env("BREAKER_OPEN", format!("{}s", BREAKER_OPEN.as_secs()))
            // A child gets its standard input and no other descriptor, so that is the socket. systemd passes the number 3; that it
            // can be another one is an extension of `listenfd`.
            .env("LISTEN_FDS", "1")
            .env("LISTEN_FDS_FIRST_FD", "0")
            .stdin(Stdin::file(File::from(listener)))
            .cwd(self.folder.path())
            .timeout(LONGEST)
            .grace(STOP);
        let mut process = service.spawn().await?;
        timeout(START, serves(&mut process)).await??;
        let id = process.id();
        self.processes.push(process);
        Ok(id)
    }

    /// Asks the oldest process to stop, and waits until it has.
    pub(super) async fn stop_oldest(&mut self) -> io::Result<Exit> {
        let mut process = self.processes.remove(0);
        let output = process.stop().await?;
        let words = output.stderr.text().into_owned();
        Ok(Exit { id: process.id(), how: output.exit, words })
    }

    /// Stops all of them at the same time. How they end is not asked.
    pub(super) async fn stop_all(mut self) {
        join_all(self.processes.iter_mut().map(Child::stop)).await;
    }
}

async fn serves(process: &mut Child) -> io::Result<()> {
    let mut said = String::new();
    let mut lines = process.lines();
    while let Some(event) = lines.next().await? {
        if event.line().contains("orders listens on") {
            return Ok(());
        }
        said = said + "\n" + event.line();
    }
    Err(io::Error::other(format!("a process ended before it served:{said}")))
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}: {}\n{}", self.id, self.how, self.words.trim_end())
    }
}
