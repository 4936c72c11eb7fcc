//! Connections that the kernel has completed and nobody has accepted, when the signal comes.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::Instant,
};

use super::{
    Exit, Service, Tally, Target,
    http::{Connection, Failure},
    place_first, raw,
};

/// What the rounds of [`drain_queue`] gave.
#[derive(Debug)]
pub struct Queue {
    /// One request for each connection.
    pub tally: Tally,
    /// What was wrong with the exits.
    pub complaints: Vec<String>,
}

/// Stops a service with its own listener as often as `rounds` says, each time with `connections` in its accept queue.
///
/// The process is paused while they connect, so that all of them are there before the signal and none is accepted. Half of them have sent
/// their request by then; the others send it when the process goes on. Each has to be answered: they were completed before the
/// listener was gone.
///
/// # Panics
///
/// When the service does not start.
pub fn drain_queue(service: &Service, rounds: usize, connections: usize) -> Queue {
    let mut tally = Tally::new(format!("{connections} in the accept queue"));
    let mut complaints = Vec::new();
    for _ in 0..rounds {
        let exit = round(service, connections, &mut tally);
        complaints.extend(exit.complaint);
    }
    Queue { tally, complaints }
}

fn round(service: &Service, connections: usize, tally: &mut Tally) -> Exit {
    let port = free_port();
    let child = service.own(port);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let target = Target { address, order: place_first(address) };
    let path = format!("/orders/{}", target.order);

    child.pause();
    let mut waiting: Vec<Result<Connection, Failure>> =
        (0..connections).map(|_| Connection::open(address)).collect();
    let (early, late) = waiting.split_at_mut(connections / 2);
    for connection in early {
        send(connection, &path);
    }
    child.terminate();
    let since = Instant::now();
    child.resume();
    for connection in late {
        send(connection, &path);
    }

    for connection in waiting {
        tally.requests += 1;
        let answer = connection.and_then(|mut connection| connection.receive());
        let checked = answer.and_then(|answer| raw::check(&answer, 200, &target.order));
        if let Err(Failure { kind, text }) = checked {
            tally.fail(kind, 1, text);
        }
    }
    service.end(child, since)
}

fn send(connection: &mut Result<Connection, Failure>, path: &str) {
    if let Ok(open) = connection
        && let Err(failure) = open.send("GET", path, None)
    {
        *connection = Err(failure);
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
