//! `h2load` of nghttp2 as a client, in batches.
//!
//! Read in the source of 1.52, and seen: told to go by `Connection: close`, it connects again; told to go by GOAWAY, it does not, and counts
//! all it would have sent yet as failed. A connection that ends untold is not opened again either. What was handed to its library
//! and cancelled there by a GOAWAY counts as started and errored, though it was never sent; only its log tells, where such a request began at 0.
//! So what it calls failed says little. What says something is *started*, *succeeded* (a whole answer of 2xx or 3xx), and the log. Hence short
//! batches, and:
//!
//! - sent and not succeeded is a failure: by its status, or else because the connection went away under it;
//! - not sent is none on HTTP/2, where it is what a client should do after GOAWAY; on HTTP/1, one connection gave up: it was refused,
//!   or closed untold while h2load sends all the time;
//! - nothing started is a connection that was refused.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{Kind, Tally, Target};
use crate::{Tool, run};

const CONNECTIONS: &str = "2";
const BATCH: &str = "200";
/// Between two batches, so that it does not take a processor for itself.
const PAUSE: Duration = Duration::from_millis(100);
/// Beyond its own bound for a connection without progress.
const DEADLINE: Duration = Duration::from_secs(60);

/// The version of HTTP it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    /// Without TLS, by prior knowledge.
    Http2,
}

/// Batches that follow each other.
#[derive(Debug)]
pub(crate) struct H2load {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Tally>,
}

impl H2load {
    pub(crate) fn start(tool: &Tool, target: &Target, version: Version) -> H2load {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, tool, target) = (Arc::clone(&stop), tool.clone(), target.clone());
        let thread = thread::spawn(move || {
            let mut tally = Tally::new(match version {
                Version::Http1 => "h2load, HTTP/1 kept alive",
                Version::Http2 => "h2load, HTTP/2",
            });
            while !stopped.load(Ordering::Relaxed) {
                batch(&mut tally, &tool, &target, version);
                thread::sleep(PAUSE);
            }
            tally
        });
        H2load { stop, thread }
    }

    pub(crate) fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("h2load runs and prints its counts")
    }
}

fn batch(tally: &mut Tally, tool: &Tool, target: &Target, version: Version) {
    let mut command = tool.command();
    // Ten seconds without a byte and it gives up, counting a timeout.
    command.args(["-n", BATCH, "-c", CONNECTIONS, "-t", "1", "-N", "10", "--log-file=/dev/stderr"]);
    match version {
        // More than one stream would be pipelining.
        Version::Http1 => command.args(["--h1", "-m", "1"]),
        Version::Http2 => command.args(["-m", "4"]),
    };
    command.arg(format!("http://{}/orders/{}", target.address, target.order));
    let output = run(command, DEADLINE);
    match Counts::parse(&output.stdout, &output.stderr) {
        Some(counts) => counts.add_to(tally, version),
        None => panic!("h2load printed no counts:\n{}{}", output.stdout, output.stderr),
    }
}

/// What matters of all it prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    total: u64,
    sent: u64,
    succeeded: u64,
    timed_out: u64,
    /// Answers of 4xx and 5xx.
    refused: u64,
}

impl Counts {
    /// `requests: 9 total, 9 started, ...` and `status codes: 9 2xx, 0 3xx, ...`; the log has a line of begin, status, and time for each request.
    fn parse(stdout: &str, log: &str) -> Option<Counts> {
        let line = |begin: &str| {
            let line = stdout.lines().find_map(|line| line.strip_prefix(begin))?;
            let pairs = line.split(',').filter_map(|pair| {
                let (count, name) = pair.trim().split_once(' ')?;
                Some((name, count.parse().ok()?))
            });
            Some(pairs.collect::<HashMap<&str, u64>>())
        };
        let (requests, codes) = (line("requests:")?, line("status codes:")?);
        let cancelled = log.lines().filter(|line| line.starts_with("0\t-1\t")).count() as u64;
        Some(Counts {
            total: *requests.get("total")?,
            sent: requests.get("started")?.saturating_sub(cancelled),
            succeeded: *requests.get("succeeded")?,
            timed_out: *requests.get("timeout")?,
            refused: codes.get("4xx")? + codes.get("5xx")?,
        })
    }

    fn add_to(self, tally: &mut Tally, version: Version) {
        let Counts { total, sent, succeeded, timed_out, refused } = self;
        tally.requests += sent;
        tally.fail(Kind::Status, refused, "an answer of 4xx or 5xx");
        tally.fail(Kind::TimedOut, timed_out, "no answer");
        let lost = sent.saturating_sub(succeeded + refused + timed_out);
        tally.fail(Kind::Reset, lost, format!("{lost} of {sent} without a whole answer"));
        if sent == 0 {
            tally.fail(Kind::Refused, 1, "a batch that could not begin");
        } else if version == Version::Http1 && total > sent {
            tally.fail(Kind::Reset, 1, format!("a connection gave up, {} not sent", total - sent));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Kind, Tally, Version};

    const GOAWAY: &str = "\
finished in 12.31ms, 2437.04 req/s, 141.27KB/s
requests: 300 total, 32 started, 32 done, 29 succeeded, 271 failed, 270 errored, 0 timeout
status codes: 29 2xx, 0 3xx, 0 4xx, 1 5xx
";
    const LOG: &str = "1764038099001234\t200\t1234\n0\t-1\t14109180331\n0\t-1\t14109180332\n";

    #[test]
    fn what_was_not_sent_after_goaway_is_no_failure() {
        let counts = Counts::parse(GOAWAY, LOG).expect("both lines are there");
        let mut tally = Tally::default();
        counts.add_to(&mut tally, Version::Http2);
        assert_eq!((tally.requests, tally.failed()), (30, 1));
        assert_eq!(tally.failures.get(&Kind::Status), Some(&1));
        counts.add_to(&mut tally, Version::Http1);
        assert_eq!(tally.failures.get(&Kind::Reset), Some(&1));
    }

    #[test]
    fn nothing_sent_is_a_connection_refused() {
        let mut tally = Tally::default();
        let counts = Counts { total: 300, sent: 0, succeeded: 0, timed_out: 0, refused: 0 };
        counts.add_to(&mut tally, Version::Http2);
        assert_eq!(tally.failures.get(&Kind::Refused), Some(&1));
    }
}
