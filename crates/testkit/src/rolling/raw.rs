//! Clients on plain sockets: one that keeps its connections, and one that connects anew for every request.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{
    Kind, Tally, Target,
    http::{Answer, Connection, Failure},
};

/// What passes between two requests of one thread: with it, each connection is used some 30 times within a lame duck of 500 ms.
const PAUSE: Duration = Duration::from_millis(15);

/// A client of several threads, each with one connection at a time.
#[derive(Debug)]
pub(crate) struct Raw {
    name: &'static str,
    symbol: &'static str,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Tally>>,
}

/// How long a connection is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Until an answer says `Connection: close`.
    Alive,
    /// For one request.
    Nothing,
}

struct Worker {
    target: Target,
    keep: Keep,
    symbol: &'static str,
    /// Numbers the orders of all threads.
    sent: Arc<AtomicU64>,
    turn: u64,
    connection: Option<Connection>,
    tally: Tally,
}

impl Raw {
    pub(crate) fn start(target: &Target, keep: Keep, connections: usize) -> Raw {
        let (name, symbol) = match keep {
            Keep::Alive => ("raw sockets, HTTP/1 kept alive", "RAWKEPT"),
            Keep::Nothing => ("raw sockets, HTTP/1 anew", "RAWANEW"),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicU64::new(0));
        let threads = (0..connections).map(|_| {
            let mut worker = Worker {
                target: target.clone(),
                keep,
                symbol,
                sent: Arc::clone(&sent),
                turn: 0,
                connection: None,
                tally: Tally::default(),
            };
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    worker.turn();
                    thread::sleep(PAUSE);
                }
                worker.tally
            })
        });
        Raw { name, symbol, threads: threads.collect(), stop, sent }
    }

    /// Lets every thread finish its request.
    pub(crate) fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut tally = Tally::new(self.name);
        for thread in self.threads {
            tally.add(thread.join().expect("a client does not panic"));
        }
        self.symbol.clone_into(&mut tally.orders.symbol);
        tally.orders.sent = self.sent.load(Ordering::Relaxed);
        tally
    }
}

impl Worker {
    /// One request.
    fn turn(&mut self) {
        self.turn += 1;
        self.tally.requests += 1;
        let order = self.target.order.clone();
        let failed = match self.turn % 8 {
            1 | 5 => {
                let number = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
                let body = format!(
                    r#"{{"symbol":"{}","side":"buy","quantity":{number},"price":1}}"#,
                    self.symbol
                );
                let failed = self.request("POST", "/orders", Some(&body), 201, self.symbol);
                if failed.is_err() {
                    self.tally.orders.unacknowledged.insert(number);
                }
                failed
            }
            3 => self.request("GET", "/orders?limit=20", None, 200, "\"orders\""),
            _ => self.request("GET", &format!("/orders/{order}"), None, 200, &order),
        };
        if let Err(Failure { kind, text }) = failed {
            self.connection = None;
            self.tally.fail(kind, 1, text);
        }
    }

    /// Fails unless a whole answer of this status comes, with JSON that has `part` in it.
    fn request(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&str>,
        status: u16,
        part: &str,
    ) -> Result<(), Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.target.address)?,
        };
        let answer = connection.exchange(method, path, body)?;
        if self.keep == Keep::Alive && !answer.closes {
            self.connection = Some(connection);
        }
        check(&answer, status, part).map_err(|Failure { kind, text }| {
            Failure::new(kind, format!("{method} {path}: {text}"))
        })
    }
}

/// Compares an answer with what was asked for.
pub(crate) fn check(answer: &Answer, status: u16, part: &str) -> Result<(), Failure> {
    let body = String::from_utf8_lossy(&answer.body);
    if answer.status != status {
        let mut text = format!("{} instead of {status}", answer.status);
        let _ = write!(text, " with {:?}", body.chars().take(100).collect::<String>());
        return Err(Failure::new(Kind::Status, text));
    }
    let is_json = serde_json::from_str::<serde_json::Value>(&body).is_ok();
    if is_json && body.contains(part) {
        return Ok(());
    }
    Err(Failure::new(Kind::Truncated, format!("a body without {part}: {body:?}")))
}
