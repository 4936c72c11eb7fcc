//! The lifecycle crates beside their peers, in one run.
//!
//! `cargo xtask bench lifecycle` runs all of it, in about a quarter of an hour. Run as a program, it takes the name of a part, and how often
//! things are done in it: `restarts 20`.

use std::{
    env,
    process::{ExitCode, Termination as _},
};

use measure::Counting;

use crate::fixture::Server;

mod batches;
mod fixture;
mod requests;
mod restarts;
mod waits;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// As many as the crate is held to.
const RESTARTS: usize = 200;
const ROUNDS: usize = 50;
const RUNS: usize = 9;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let count = |default: usize| {
        args.get(1).map_or(default, |count| count.parse().expect("the count is a number"))
    };
    match args.first().copied() {
        // What the harness starts.
        Some("serve") => {
            let server = Server::ALL.into_iter().find(|server| Some(&server.name()) == args.get(1));
            return fixture::run(server.expect("it is one of ours")).report();
        }
        None => {
            restarts::rolling(RESTARTS);
            restarts::queued(ROUNDS);
            requests::tables(RUNS);
            waits::tables();
            batches::tables();
        }
        Some("restarts") => restarts::rolling(count(RESTARTS)),
        Some("queue") => restarts::queued(count(ROUNDS)),
        Some("requests") => requests::tables(count(RUNS)),
        Some("waits") => waits::tables(),
        Some("batches") => batches::tables(),
        Some(part) => {
            eprintln!("no part {part}; the parts are restarts, queue, requests, waits, batches");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
