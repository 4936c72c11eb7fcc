//! Restarts of a service under load, and what its clients say about them.
//!
//! The clients are not built on hyper and never send anything twice. A failure is any request that is refused, reset, truncated, late or
//! answered with another status than its own, any stream that ends without goodbye, and any order that was acknowledged and does
//! not exist exactly once. Each pooled connection is used many times within a lame duck of 500 ms; a client that stays silent through all of it
//! and then races the close (RFC 9112, section 9.5) is not among them.
//!
//! The service has the routes of `examples/orders`, and takes its listener from systemd's `LISTEN_FDS`.

mod audit;
mod h2load;
mod http;
mod queue;
mod raw;
mod script;
mod service;
mod tally;

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use self::{
    h2load::{H2load, Version},
    http::Connection,
    raw::{Keep, Raw},
    script::Script,
    service::Exit,
};
pub use self::{
    queue::{Queue, drain_queue},
    service::Service,
    tally::{Kind, Orders, Tally},
};
use crate::{Skip, node, program};

/// Between the last restart and the end of the clients.
const SETTLE: Duration = Duration::from_millis(500);

/// What all clients are given.
#[derive(Debug, Clone)]
struct Target {
    address: SocketAddr,
    /// An order that exists.
    order: String,
}

/// What came of the restarts.
#[derive(Debug)]
pub struct Restarts {
    /// How long each process took from its start until it listened.
    pub starts: Vec<Duration>,
    /// How long each process took from the signal to its end.
    pub exits: Vec<Duration>,
    /// Processes that did not end with code 0 in time.
    pub complaints: Vec<String>,
    /// What each client counted.
    pub clients: Vec<Tally>,
}

/// Restarts a service under load: starts the next process on the same listener, waits until it listens, ends the one before with SIGTERM,
/// waits for its exit; as often as `restarts` says.
///
/// # Errors
///
/// When `h2load` or Node.js with undici is missing.
///
/// # Panics
///
/// When the service does not start, or does not list its orders in the end.
pub fn restart(service: &Service, restarts: usize) -> Result<Restarts, Skip> {
    let (node, h2load) = (node(&["undici"])?, program("h2load")?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let mut current = service.inherit(&listener);
    let target = Target { address, order: place_first(address) };

    let scripts = [
        ("http1.cjs", "undici, HTTP/1 pool"),
        ("http2.cjs", "node:http2, HTTP/2"),
        ("sse.cjs", "node:http, SSE"),
        ("websocket.cjs", "undici, WebSocket"),
    ]
    .map(|(file, name)| Script::start(&node, file, name, &target));
    let raws = [(Keep::Alive, 8), (Keep::Nothing, 2)]
        .map(|(keep, connections)| Raw::start(&target, keep, connections));
    let loads =
        [Version::Http1, Version::Http2].map(|version| H2load::start(&h2load, &target, version));

    let mut starts = Vec::new();
    let mut exits = Vec::new();
    let mut complaints = Vec::new();
    for _ in 0..restarts {
        let begun = Instant::now();
        let next = service.inherit(&listener);
        starts.push(begun.elapsed());
        let previous = std::mem::replace(&mut current, next);
        previous.terminate();
        let Exit { took, complaint } = service.end(previous, Instant::now());
        exits.push(took);
        complaints.extend(complaint);
    }

    // What the last process did to its clients is still on its way to them.
    thread::sleep(SETTLE);
    let mut clients: Vec<Tally> = scripts.into_iter().map(Script::stop).collect();
    clients.extend(raws.into_iter().map(Raw::stop));
    clients.extend(loads.into_iter().map(H2load::stop));
    audit::audit(&target, &mut clients);
    current.terminate();
    complaints.extend(service.end(current, Instant::now()).complaint);
    Ok(Restarts { starts, exits, complaints, clients })
}

impl Restarts {
    /// Failures of all clients.
    pub fn failed(&self) -> u64 {
        self.clients.iter().map(Tally::failed).sum()
    }
}

/// The table.
impl fmt::Display for Restarts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Restarts { starts, exits, complaints, clients } = self;
        writeln!(f, "{} restarts, {} exits not clean", exits.len(), complaints.len())?;
        writeln!(f, "from start to listening {}", spread(starts))?;
        writeln!(f, "from signal to exit     {}\n", spread(exits))?;
        writeln!(f, "{:<34} {:>9} {:>9} {:>9}", "client", "requests", "goodbyes", "failures")?;
        clients.iter().try_for_each(|tally| writeln!(f, "{tally}"))?;
        complaints.iter().take(3).try_for_each(|complaint| writeln!(f, "{complaint}"))
    }
}

fn spread(times: &[Duration]) -> String {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = |index: usize| times.get(index).copied().unwrap_or_default();
    let (median, longest) = (at(times.len() / 2), at(times.len().saturating_sub(1)));
    format!("{} ms in the median, {} ms at most", median.as_millis(), longest.as_millis())
}

/// Places an order, and returns its id.
///
/// # Panics
///
/// When that fails.
fn place_first(address: SocketAddr) -> String {
    const ORDER: &str = r#"{"symbol":"FIRST","side":"buy","quantity":1,"price":1}"#;
    let placed = Connection::open(address)
        .and_then(|mut connection| connection.exchange("POST", "/orders", Some(ORDER)));
    let answer = placed.unwrap_or_else(|failure| panic!("no order can be placed: {failure:?}"));
    let order: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match (&order["id"], answer.status) {
        (serde_json::Value::String(id), 201) => id.clone(),
        (serde_json::Value::Number(id), 201) => id.to_string(),
        (_, status) => panic!("no order can be placed: {status}, {order}"),
    }
}
