//! The reference service is restarted under load, and no client notices; other services get into trouble, and stop all the same.

mod panics;
mod signals;
mod torture;

use std::{
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use testkit::{
    full_or, or_skip,
    rolling::{Service, drain_queue, restart},
};

/// The plan's budget.
const BUDGET: Duration = Duration::from_secs(25);

fn orders(dir: &Path) -> Service {
    Service::new(testkit::orders(), dir, "orders listens on")
        .arg("api")
        .env("DATA_DIR", dir)
        // A client of the harness asks more often than a user.
        .env("RATE_LIMIT", "100000/1s")
        .exits_within(BUDGET)
}

/// For the reader of the run, not kept from him by the test harness.
fn tell(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

#[test]
fn rolling_restarts_fail_no_request_and_cut_no_stream() {
    let restarts = full_or(200, 20);
    let dir = tempfile::tempdir().expect("a temp folder");
    let service = orders(dir.path()).env("LAME_DUCK", "500ms");
    let outcome = or_skip!(restart(&service, restarts));
    tell(&format!("lifecycle: {outcome}"));
    assert!(outcome.complaints.is_empty(), "{outcome}");
    assert_eq!(outcome.failed(), 0, "{outcome}");
    for tally in &outcome.clients {
        // Nobody was spared by standing still.
        assert!(tally.requests >= restarts as u64, "{outcome}");
    }
    let goodbyes = outcome.clients.iter().filter(|tally| tally.goodbyes >= restarts as u64);
    assert_eq!(goodbyes.count(), 2, "server-sent events and WebSockets: {outcome}");
}

#[test]
fn what_the_kernel_has_accepted_is_served() {
    let rounds = full_or(50, 5);
    let dir = tempfile::tempdir().expect("a temp folder");
    let queue = drain_queue(&orders(dir.path()).env("LAME_DUCK", "0s"), rounds, 50);
    tell(&format!("lifecycle: {}", queue.tally));
    assert!(queue.complaints.is_empty(), "{:?}", queue.complaints);
    assert_eq!(queue.tally.failed(), 0, "{}", queue.tally);
}
