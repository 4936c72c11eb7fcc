//! In front of a tower service.

use std::{future::poll_fn, time::Duration};

use tokio::time::timeout;
use tower::{Service, ServiceExt};

use crate::{
    breakers::{
        Called, Contender, Rules,
        calls::{open, time_is_up},
        probed::Probed,
    },
    verdict::{Case, Outcome, cases, ensure},
};

pub fn cases() -> Vec<Case<dyn Contender>> {
    cases! {
        not_called, "a rejected request does not call the service",
            "While it is open, `Service::call` of the service behind it is not called.",
            "a service that begins its work in `call`, as a buffer does, is not protected at all.";
        not_awaited, "a rejection does not wait for the service",
            "While it is open, a request is rejected though the service behind it is not ready.",
            "a dependency that is down makes callers wait instead of failing fast.";
        ready_takes_no_place, "being ready takes no place",
            "Half-open, services that were found ready and are not called leave the place to others.",
            "a load balancer that keeps ready services shuts a healthy one off.";
    }
}

async fn not_called(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::consecutive(3))?;
    let inner = Probed::failing();
    let service = breaker.layered(inner.clone())?;
    let mut requests = 0;
    while service.clone().oneshot(()).await != Err(Called::Rejected) {
        requests += 1;
        ensure!(requests < 20, "20 failures have not opened it");
    }
    let before = inner.calls();
    for _ in 0..10 {
        let result = service.clone().oneshot(()).await;
        ensure!(result == Err(Called::Rejected), "a request was let through");
    }
    let calls = inner.calls() - before;
    ensure!(calls == 0, "10 rejected requests called the service {calls} times");
    Ok(())
}

async fn not_awaited(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::consecutive(3))?;
    let service = breaker.layered(Probed::never_ready())?;
    open(&*breaker).await?;
    let result = timeout(Duration::from_millis(100), service.oneshot(())).await;
    ensure!(result == Ok(Err(Called::Rejected)), "the request waits for the service");
    Ok(())
}

async fn ready_takes_no_place(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::consecutive(3))?;
    let service = breaker.layered(Probed::default())?;
    open(&*breaker).await?;
    time_is_up().await;
    let mut kept = Vec::new();
    for _ in 0..5 {
        let mut ready = service.clone();
        let _ = timeout(Duration::from_millis(50), poll_fn(|cx| ready.poll_ready(cx))).await;
        kept.push(ready);
    }
    let result = timeout(Duration::from_secs(1), service.oneshot(())).await;
    ensure!(result == Ok(Ok(())), "the next request was not let through: {result:?}");
    Ok(())
}
