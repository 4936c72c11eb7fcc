//! The very same restarts of `axum::serve` and of ours.

use std::{env, path::Path};

use testkit::rolling::{Service, drain_queue, restart};

use crate::fixture::Server;

/// As in the definition of what must not fail: each pooled connection is used within it.
const LAME_DUCK: &str = "500ms";
const CONNECTIONS: usize = 50;

/// Restarts each server as often under the same load.
pub fn rolling(restarts: usize) {
    for server in Server::ALL {
        let dir = tempfile::tempdir().expect("a folder for temporary files can be written");
        let service = service(server, dir.path()).env("LAME_DUCK", LAME_DUCK);
        match restart(&service, restarts) {
            Ok(outcome) => println!("\n{}, lame duck {LAME_DUCK}\n{outcome}", server.name()),
            Err(skip) => return println!("\nrolling restarts: {skip}"),
        }
    }
}

/// Stops each server as often with connections that nobody has accepted yet, and no lame duck.
pub fn queued(rounds: usize) {
    println!("\n{rounds} stops with {CONNECTIONS} connections in the accept queue, no lame duck\n");
    println!("{:<34} {:>9} {:>9}", "", "requests", "failures");
    for server in Server::ALL {
        let dir = tempfile::tempdir().expect("a folder for temporary files can be written");
        let queue = drain_queue(&service(server, dir.path()), rounds, CONNECTIONS);
        println!("{:<34} {:>9} {:>9}", server.name(), queue.tally.requests, queue.tally.failed());
        for text in queue.tally.examples.iter().take(2).chain(&queue.complaints) {
            println!("    {text}");
        }
    }
}

/// This program again, as a server in that folder.
fn service(server: Server, dir: &Path) -> Service {
    let program = env::current_exe().expect("a running program has a path");
    Service::new(program, dir, "fixture listens on").arg("serve").arg(server.name())
}
