//! The harness for restarts counts nothing where nothing is wrong, and everything where something is.

use std::{collections::BTreeSet, env, path::Path};

use testkit::{
    or_skip,
    rolling::{Kind, Restarts, Service, restart},
};

/// A service in Node.js, so that the harness is tested on something that is not ours.
fn service(dir: &Path, manners: &str) -> Service {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/service.cjs");
    let path = env::var_os("PATH").unwrap_or_default();
    Service::new("node", dir, "service listens on")
        .arg(script)
        .env("PATH", path)
        .env("MANNERS", manners)
}

fn kinds(restarts: &Restarts, client: &str) -> BTreeSet<Kind> {
    let tally = restarts.clients.iter().find(|tally| tally.client.contains(client));
    tally.expect("there is such a client").failures.keys().copied().collect()
}

#[test]
fn a_polite_service_fails_nobody_over_http_1() {
    let dir = tempfile::tempdir().expect("a temp folder");
    let restarts = or_skip!(restart(&service(dir.path(), "good"), 2));
    assert!(restarts.complaints.is_empty(), "{restarts}");
    for tally in &restarts.clients {
        assert!(tally.requests > 8, "{restarts}");
        // Node's HTTP/2 servers refuse what arrives after their first GOAWAY, whatever that says, so this one cannot be polite there.
        assert!(tally.failed() == 0 || tally.client.contains("HTTP/2"), "{restarts}");
    }
    for stream in ["SSE", "WebSocket"] {
        let tally = restarts.clients.iter().find(|tally| tally.client.contains(stream));
        // Four streams, told by two processes.
        assert_eq!(tally.map(|tally| tally.goodbyes), Some(8), "{restarts}");
    }
}

#[test]
fn a_rude_service_is_found_out_by_each_client() {
    let dir = tempfile::tempdir().expect("a temp folder");
    let restarts = or_skip!(restart(&service(dir.path(), "none"), 1));
    let placing = [Kind::Lost, Kind::Doubled];
    let answers = [Kind::Reset, Kind::Truncated, Kind::Status];
    for client in ["undici, HTTP/1", "node:http2", "raw sockets, HTTP/1 kept"] {
        let found = kinds(&restarts, client);
        let wanted: BTreeSet<Kind> = answers.into_iter().chain(placing).collect();
        assert!(found.is_superset(&wanted), "{client}: {found:?}\n{restarts}");
    }
    for client in ["h2load, HTTP/1", "h2load, HTTP/2"] {
        // It does not say whether an answer had begun.
        let found = kinds(&restarts, client);
        let wanted = BTreeSet::from([Kind::Reset, Kind::Status]);
        assert!(found.is_superset(&wanted), "{client}: {found:?}\n{restarts}");
    }
    assert!(restarts.complaints[0].starts_with("exit status: 3"), "{restarts}");
    for client in ["SSE", "WebSocket"] {
        assert_eq!(kinds(&restarts, client), BTreeSet::from([Kind::Cut]), "{restarts}");
    }
}
