//! `httpx` against servers that cut, reset, lie, trickle and hang: nothing is done twice that must not be, and nothing comes late.

mod cancel;
mod cuts;
mod faults;
mod h2;
mod hedge;
mod hosts;
mod http2;
mod resume;
mod retry_after;
mod server;
mod slow;
mod storm;
mod strange;

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    time::Duration,
};

use tokio::{
    net::TcpSocket,
    time::{Instant, sleep},
};
use underpin_httpx::{Builder, Client};
use underpin_retry::{Budget, Retry};

use crate::resilience::httpx::server::Step;

/// For what a test waits for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client that retries at once, 3 times, and has a budget for it.
fn quick() -> Builder {
    Client::builder()
        .retry(Retry::fixed(Duration::from_millis(1)).retries(3))
        .budget(|| Budget::ratio(1000.0))
        .deadline(Duration::from_secs(20))
        .attempt_timeout(PATIENCE)
}

/// An answer with a length.
fn answer(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes()
}

/// Reads all, and answers.
fn answered(status: u16, headers: &str, body: &str) -> Vec<Step> {
    vec![Step::READ, Step::Send(answer(status, headers, body))]
}

/// For the reader of the run, not kept from him by the test harness.
fn tell(text: &str) {
    let _ = writeln!(io::stdout(), "resilience: {text}");
}

/// Waits for what has no event.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(2)).await; // sleep-ok: a bounded poll, the server has no event for it
    }
}

/// An address that nobody listens on, and that nobody else gets.
struct Dead(TcpSocket);

impl Dead {
    fn new() -> Dead {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        Dead(socket)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("an address")
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address())
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// `SplitMix64`: a seed makes a case that can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// Below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("a number of cases");
        usize::try_from(self.next() % end).expect("it is smaller")
    }

    fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }
}
