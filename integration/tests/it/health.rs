//! Probes as curl and Python see them, while the runtime is starved.

use std::{
    future::{pending, ready},
    io::Write as _,
    sync::{Arc, Barrier},
    time::{Duration, Instant},
};

use testkit::{full_or, or_skip, program, python, run};
use tokio::runtime::{Builder, Runtime};
use underpin_health::{Detail, Health, Probe, Server, Verdict, serve};

const WORKERS: usize = 2;
const DEADLINE: Duration = Duration::from_secs(30);

/// A service with as many checks as this, ready.
fn service(checks: usize, max_stall: Duration) -> (Runtime, Health, Server) {
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_time().build();
    let runtime = runtime.expect("a runtime can be built");
    let health = Health::new().with_max_stall(max_stall);
    for i in 0..checks {
        let check = health.check(format!("check {i}"), || ready(Ok::<_, &str>(())));
        check.every(Duration::from_secs(60)).register();
    }
    let server = serve(health.clone(), ([127, 0, 0, 1], 0).into()).expect("loopback is there");
    runtime.block_on(async {
        health.run(pending());
        let mut seen = health.snapshot();
        let late = "it is ready in time";
        let waiting = async {
            while seen.readiness != Verdict::Up {
                seen = health.changed(&seen).await;
            }
        };
        tokio::time::timeout(DEADLINE, waiting).await.expect(late);
    });
    (runtime, health, server)
}

/// Blocks every worker of the runtime until the barrier is met once more.
fn starve(runtime: &Runtime) -> Arc<Barrier> {
    let blocked = Arc::new(Barrier::new(WORKERS + 1));
    for _ in 0..WORKERS {
        let blocked = Arc::clone(&blocked);
        runtime.spawn(async move {
            blocked.wait();
            blocked.wait();
        });
    }
    blocked.wait();
    blocked
}

#[test]
fn a_starved_runtime_is_told_by_the_listener() {
    let curl = or_skip!(program("curl"));
    let (runtime, _health, server) = service(3, Duration::from_millis(300));
    let probe = |path: &str| {
        let mut command = curl.command();
        command.args([
            "--silent",
            "--show-error",
            "--max-time",
            "10",
            "--write-out",
            " %{http_code}",
        ]);
        command.arg(format!("http://{}{path}", server.addr()));
        run(command, DEADLINE).stdout
    };
    let until = |path: &str, wanted: &str| {
        let begun = Instant::now();
        loop {
            let answer = probe(path);
            if answer == wanted {
                return;
            }
            assert!(begun.elapsed() < DEADLINE, "{path} says {answer}, not {wanted}");
        }
    };
    until("/readyz", "ok 200");

    let release = starve(&runtime);
    until("/livez", "stuck 503");
    assert_eq!(probe("/readyz"), "stuck 503");
    assert_eq!(probe("/health/ready"), "{\"status\":\"stuck\"} 503");
    assert_eq!(probe("/startupz"), "ok 200");

    release.wait();
    until("/livez", "ok 200");
    until("/health/ready", "{\"status\":\"ready\"} 200");
}

#[test]
fn probes_are_fast_with_a_hundred_checks_and_a_starved_runtime() {
    const ASK: &str = "
import http.client, sys, time
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
times = []
for _ in range(count):
    begun = time.perf_counter()
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request('GET', '/health/ready')
    body = connection.getresponse().read()
    connection.close()
    times.append(time.perf_counter() - begun)
    assert body == b'{\"status\":\"ready\"}', body
times.sort()
print('p50 %.0f us, p99 %.0f us' % (times[count // 2] * 1e6, times[count * 99 // 100] * 1e6))
";
    let python = or_skip!(python(&[]));
    // Not stuck for the length of the test: an answer then looks at each of the hundred.
    let (runtime, health, server) = service(100, Duration::from_secs(3600));
    let release = starve(&runtime);

    let count = full_or(100_000, 10_000);
    let mut times: Vec<Duration> = (0..count)
        .map(|_| {
            let begun = Instant::now();
            std::hint::black_box(health.respond(Probe::Readiness, Detail::Status));
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100];

    let mut command = python.command();
    let addr = server.addr();
    let requests = full_or(5_000, 500).to_string();
    command.args(["-c", ASK, &addr.ip().to_string(), &addr.port().to_string(), &requests]);
    let output = run(command, 4 * DEADLINE);
    assert!(output.status.success(), "{}", output.stderr);
    // Figures for a reader, not a bar: this machine may be busy.
    let client = output.stdout.trim();
    let _ = writeln!(std::io::stdout(), "health: answer p99 {p99:?}; python client {client}");
    assert!(p99 < Duration::from_millis(50), "{p99:?}");
    release.wait();
}
