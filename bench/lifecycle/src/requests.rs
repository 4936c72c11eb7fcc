//! Requests per second through `serve` and its layer beside `axum::serve` alone: same router, same load, turn by turn.
//!
//! Where there is `taskset`, the servers have one processor and the load another. The answer is 13 bytes, so that nearly all of the time is
//! the server's.

use std::{env, path::Path, process::Command, time::Duration};

use testkit::{Child, Tool, program, run};

use crate::fixture::Server;

const PATIENCE: Duration = Duration::from_secs(120);
/// The servers are there for all turns.
const LIFETIME: Duration = Duration::from_secs(3600);
const REQUESTS: &str = "100000";
/// What a run is warmed up with.
const FEW: &str = "5000";

/// A way to ask.
struct Load {
    name: &'static str,
    args: &'static [&'static str],
}

const LOADS: [Load; 2] = [
    Load { name: "HTTP/1, 32 connections kept alive", args: &["--h1", "-c", "32", "-m", "1"] },
    Load { name: "HTTP/2, 4 connections with 32 streams each", args: &["-c", "4", "-m", "32"] },
];

/// Prints a table for each way to ask, of as many runs of each server.
pub fn tables(runs: usize) {
    let h2load = match program("h2load") {
        Ok(h2load) => h2load,
        Err(skip) => return println!("\nrequests per second: {skip}"),
    };
    let dir = tempfile::tempdir().expect("a folder for temporary files can be written");
    let servers = Server::ALL.map(|server| Running::start(server, dir.path()));
    for load in LOADS {
        for server in &servers {
            rate(&h2load, &load, &server.url, FEW);
        }
        let mut rates = Server::ALL.map(|_| Vec::with_capacity(runs));
        for round in 0..runs {
            for turn in 0..servers.len() {
                let index = (turn + round) % servers.len();
                rates[index].push(rate(&h2load, &load, &servers[index].url, REQUESTS));
            }
        }
        println!("\nrequests per second, {}, {runs} runs\n", load.name);
        println!("{:<34} {:>9} {:>9} {:>19}", "", "median", "ratio", "lowest to highest");
        let mut first = None;
        for (server, mut rates) in Server::ALL.into_iter().zip(rates) {
            rates.sort_unstable_by(f64::total_cmp);
            let median = rates[rates.len() / 2];
            let ratio = median / *first.get_or_insert(median);
            let spread = format!("{:.0} to {:.0}", rates[0], rates[rates.len() - 1]);
            println!("{:<34} {median:>9.0} {ratio:>8.3}x {spread:>19}", server.name());
        }
    }
}

/// A server that only waits when it is not its turn.
struct Running {
    url: String,
    _child: Child,
}

impl Running {
    fn start(server: Server, dir: &Path) -> Running {
        let ours = env::current_exe().expect("a running program has a path");
        let mut command = match program("taskset") {
            Ok(taskset) => pinned(&taskset, "0", ours.as_os_str().to_owned()),
            Err(_) => Command::new(ours),
        };
        command.args(["serve", server.name()]).current_dir(dir).env_remove("LAME_DUCK");
        let child = Child::spawn(command, LIFETIME);
        let line = child.wait_for_line("listens on");
        let (_, url) = line.rsplit_once(' ').expect("it says where");
        Running { url: format!("{url}/plain"), _child: child }
    }
}

fn pinned(taskset: &Tool, processor: &str, program: std::ffi::OsString) -> Command {
    let mut command = taskset.command();
    command.args(["-c", processor]).arg(program);
    command
}

fn rate(h2load: &Tool, load: &Load, url: &str, requests: &str) -> f64 {
    let mut command = match program("taskset") {
        Ok(taskset) => pinned(&taskset, "1", "h2load".into()),
        Err(_) => h2load.command(),
    };
    command.args(load.args).args(["-t", "1", "-n", requests, url]);
    let output = run(command, PATIENCE);
    let all =
        format!("{requests} total, {requests} started, {requests} done, {requests} succeeded");
    assert!(output.stdout.contains(&all), "not all were answered:\n{}", output.stdout);
    // `finished in 1.23s, 48780.49 req/s, 2.84MB/s`
    let line = output.stdout.lines().find(|line| line.starts_with("finished in"));
    let rate = line.and_then(|line| line.split(", ").nth(1)?.strip_suffix(" req/s")?.parse().ok());
    rate.expect("h2load prints its rate")
}
