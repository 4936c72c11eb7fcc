//! The server: who is asked to leave, who is still served, and what ends a connection. Over loopback, on a clock that only moves when nothing else can.

mod app;
mod client;
mod http1;
mod http2;
mod limits;

use std::{future::Future, net::SocketAddr};

use tokio::{net::TcpListener, runtime::Builder, task::JoinHandle};
use underpin_shutdown::{Phase, Plan, Reason, Report, Serve, Shutdown, serve};

use self::app::{App, app};
use crate::virtual_time::secs;

/// A server inside of a shutdown that somebody awaits.
struct Served {
    address: SocketAddr,
    shutdown: Shutdown,
    report: JoinHandle<Report>,
}

impl Served {
    async fn start(plan: Plan) -> Served {
        Served::with(plan, |serve| serve).await
    }

    async fn with(plan: Plan, options: impl FnOnce(Serve<App>) -> Serve<App>) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shutdown = Shutdown::new(plan);
        let server = options(serve(listener, app(&shutdown), &shutdown)).into_future();
        let run = shutdown.clone().run(server);
        let report = tokio::spawn(async move {
            let (output, report) = run.await;
            assert!(output.is_none_or(|output| output.is_ok()));
            report
        });
        Served { address, shutdown, report }
    }

    fn stop(&self) {
        self.shutdown.trigger(Reason::Requested("the test".into()));
    }

    /// How long the stop took, in milliseconds, and that nothing was left behind.
    async fn stopped(self) -> u128 {
        let report = self.report.await.expect("no panic");
        assert_eq!(report.exit_code(), 0, "{report}");
        report.used().as_millis()
    }

    async fn reaches(&self, phase: Phase) {
        self.shutdown.at(phase).await;
        // The server hears of it in the same round.
        tokio::task::yield_now().await;
    }
}

fn with_lame_duck() -> Plan {
    Plan::new().lame_duck(secs(5))
}

fn run<F: Future>(test: F) -> F::Output {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(test)
}
