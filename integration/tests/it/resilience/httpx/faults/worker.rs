//! One client, and its calls.

use std::sync::Arc;

use tokio::net::TcpListener;
use underpin_breaker::{Breaker, Trip};
use underpin_httpx::Client;
use underpin_retry::{Budget, Retry};

use crate::resilience::httpx::{
    Dead,
    faults::{
        ATTEMPT_TIMEOUT, DELAY, RETRIES, Report,
        call::{Call, make},
        desk::{Desk, Names, Place, Wire},
        fault::Class,
        judge::Judge,
    },
};

/// Makes one call after the other, so that each fault is known to be of its call.
pub(super) struct Worker {
    pub(super) client: Client,
    pub(super) breaker: Breaker,
    pub(super) place: Arc<Place>,
    pub(super) is_h2: bool,
    pub(super) slamming: TcpListener,
    pub(super) dead: Dead,
}

impl Worker {
    /// It takes a while, and the thread of others.
    pub(super) async fn new(is_h2: bool) -> Worker {
        let slamming = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let dead = Dead::new();
        let place = Arc::new(Place::default());
        let names = Names {
            place: Arc::clone(&place),
            dead: dead.address(),
            slamming: slamming.local_addr().expect("an address"),
        };
        let breaker = Breaker::builder("faults").trip(Trip::consecutive(u32::MAX)).build();
        let client = Client::builder()
            .retry(Retry::fixed(DELAY).retries(RETRIES))
            .attempt_timeout(ATTEMPT_TIMEOUT)
            .budget(|| Budget::ratio(1000.0))
            .breaker(breaker.clone())
            .configure(|http| {
                let http = http.dns_resolver(names).no_proxy();
                if is_h2 { http.http2_prior_knowledge() } else { http }
            })
            .build()
            .expect("a client");
        Worker { client, breaker, place, is_h2, slamming, dead }
    }

    pub(super) async fn work(self, seeds: Vec<u64>) -> Report {
        let Worker { client, breaker, place, is_h2, slamming, dead: _dead } = self;
        let slam = tokio::spawn(async move {
            while let Ok((stream, _)) = slamming.accept().await {
                let _ = stream.set_zero_linger();
            }
        });
        let calls: Vec<Call> = seeds.iter().map(|seed| Call::random(*seed, is_h2)).collect();
        let (mut report, mut failures, mut epoch) = (Report::default(), 0, 0);
        let (mut desk, mut wire) = move_on(&place, epoch, is_h2).await;
        for (nth, call) in calls.iter().enumerate() {
            desk.lay(call, calls.get(nth + 1));
            let url = format!("http://{}/charges", Place::host(epoch));
            let got = make(call, &client, &url).await;
            let met = desk.faults().met.clone();
            let complete = wire.complete(&met);
            let counted = breaker.snapshot().failures;
            let judge = Judge { call, got: &got, met: &met, complete: &complete };
            let mut complaints = judge.complaints();
            if let Some(expected) = judge.failures(failures)
                && counted != expected
            {
                complaints.push(format!(
                    "the breaker has counted {counted} failures in a row, not {expected}"
                ));
            }
            failures = counted;
            report.add(call, &met, &got);
            for complaint in complaints {
                let (seed, version) = (seeds[nth], if is_h2 { 2 } else { 1 });
                report.complaints.push(format!(
                    "{complaint}\n  seed {seed:#x}, HTTP/{version}: {call:?}\n  met {met:?}\n  got {got:?}"
                ));
            }
            let is_paused = met.iter().any(|met| met.fault.class(call.terminal) == Class::Paused);
            if is_paused || judge.is_slow() {
                epoch += 1;
                report.disturbed += desk.faults().disturbed;
                (desk, wire) = move_on(&place, epoch, is_h2).await;
            }
        }
        slam.abort();
        report.disturbed += desk.faults().disturbed;
        report
    }
}

pub(super) async fn move_on(place: &Place, epoch: u32, is_h2: bool) -> (Arc<Desk>, Wire) {
    let desk = Arc::new(Desk::default());
    let (wire, server) = Wire::start(Arc::clone(&desk), is_h2).await;
    *place.now() = Some((epoch, server, Arc::clone(&desk)));
    (desk, wire)
}
