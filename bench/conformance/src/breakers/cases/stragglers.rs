//! Calls that end in another state than they began in.

use crate::{
    breakers::{
        Called, Contender, Rules,
        calls::{
            failures_to_open, first_probe, hold, hold_all, open, succeed, time_is_up, was_closed,
        },
    },
    verdict::{Case, Outcome, Stop, cases, ensure},
};

pub fn cases() -> Vec<Case<dyn Contender>> {
    cases! {
        late_successes, "late successes do not close",
            "Calls that began before it opened and succeed when it is half-open do not close it.",
            "answers from before the outage let the whole load in on a dependency that is down.";
        late_failure, "a late failure does not open",
            "Calls that began before it opened and fail when it is half-open do not open it again.",
            "slow failures of the outage keep it open after the dependency has recovered.";
        earlier_probe, "a probe of an earlier cycle decides nothing",
            "A probe that began before it opened again, and fails when it is half-open once more, does not open it.",
            "every slow probe costs another open time after the recovery.";
        before_the_outage, "failures from before an outage do not count",
            "Calls that began before it opened and fail after it has closed again do not open it.",
            "a dependency that has recovered is shut off for what is long over.";
    }
}

async fn late_successes(contender: &dyn Contender) -> Outcome {
    let rules = Rules::consecutive(10);
    let fresh = failures_to_open(&*contender.breaker(rules.clone())?).await?;
    let breaker = contender.breaker(rules)?;
    let stragglers = hold_all(&*breaker, 3).await?;
    open(&*breaker).await?;
    time_is_up().await;
    let _probe = first_probe(&*breaker).await?;
    for straggler in stragglers {
        straggler.succeed().await;
    }
    let failures = failures_to_open(&*breaker).await?;
    ensure!(
        !was_closed(failures, fresh),
        "it has closed, with its probe under way: it took {failures} failures to open it again"
    );
    Ok(())
}

async fn late_failure(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::consecutive(3))?;
    let stragglers = hold_all(&*breaker, 3).await?;
    open(&*breaker).await?;
    time_is_up().await;
    let probe = first_probe(&*breaker).await?;
    for straggler in stragglers {
        straggler.fail().await;
    }
    probe.succeed().await;
    let next = succeed(&*breaker).await;
    ensure!(next == Called::Succeeded, "the probe succeeded, and the next call was rejected");
    Ok(())
}

async fn earlier_probe(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules { probes: 2, ..Rules::consecutive(3) })?;
    open(&*breaker).await?;
    time_is_up().await;
    // Two, or as many as it lets through.
    let mut probes = Vec::new();
    for _ in 0..5 {
        probes.extend(hold(&*breaker).await);
    }
    let Some(first) = probes.pop() else {
        return Err(Stop::Observed("no probe was let through".to_owned()));
    };
    first.fail().await;
    open(&*breaker).await?;
    time_is_up().await;
    let _probe = first_probe(&*breaker).await?;
    for earlier in probes {
        earlier.fail().await;
    }
    let next = hold(&*breaker).await;
    ensure!(next.is_some(), "the earlier probe failed, and the next call was rejected");
    Ok(())
}

async fn before_the_outage(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::consecutive(3))?;
    let stragglers = hold_all(&*breaker, 5).await?;
    open(&*breaker).await?;
    time_is_up().await;
    for _ in 0..4 {
        ensure!(succeed(&*breaker).await == Called::Succeeded, "it has not closed");
    }
    for straggler in stragglers {
        straggler.fail().await;
    }
    let next = succeed(&*breaker).await;
    ensure!(next == Called::Succeeded, "5 late failures have opened it");
    Ok(())
}
