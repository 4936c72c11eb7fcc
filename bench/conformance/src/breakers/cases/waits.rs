//! Open: for how long.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::{
    breakers::{
        Breaker, Called, Contender, OPEN, Rules, State, Trouble,
        calls::{fail, fail_with, failures_to_open, first_probe, open, succeed, time_is_up},
    },
    verdict::{Case, Outcome, cases, ensure},
};

/// What a doubled open time still has, and a usual one has not.
const SPARE: Duration = Duration::from_millis(150);

pub fn cases() -> Vec<Case<dyn Contender>> {
    cases! {
        waits, "it waits its time, and no longer",
            "Calls are rejected for the open time, and let through soon after.",
            "a dependency gets no rest, or its recovery is missed.";
        hammered, "rejected calls do not keep it open",
            "A call every millisecond during the open time does not make it longer.",
            "a busy caller never sees the recovery.";
        rejected, "rejected calls are no failures",
            "After 1,000 rejections and a recovery, as many failures open it as at first.",
            "the more callers there were, the sooner it opens again.";
        longer, "every outage in a row waits longer",
            "With a backoff that doubles, the open time after a failed probe is twice the first.",
            "a dependency that is down for an hour is tried as often as one that is down for a second.";
        flapping, "flapping still waits longer",
            "The same holds if it has closed in between, and opened again at once.",
            "a dependency that answers once and falls over gets no rest.";
        told, "a failure may say for how long",
            "A failure that carries a time, as `Retry-After` does, keeps it open for as long.",
            "a dependency that asks for a minute is tried after a second.";
        retry_in, "a rejection says when to come back",
            "It carries the time that is left.",
            "callers guess, and a server's own `Retry-After` is an invention.";
        seen, "a look at the state sees the time is up",
            "After the open time, the state says half-open though nobody has called.",
            "a dashboard shows an outage until the next call.";
        by_hand, "opened by hand, it stays open",
            "An operator's switch holds until the operator takes it back.",
            "a dependency in maintenance gets probes.";
        keyed, "an open breaker of a key is never given up",
            "With room for 64 keys, one open breaker is still open after 10,000 other keys.",
            "many keys close a circuit, or take memory without bound.";
    }
}

async fn waits(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::consecutive(3))?;
    open(&*breaker).await?;
    sleep(OPEN / 3).await;
    ensure!(succeed(&*breaker).await == Called::Rejected, "a call was made after a third of it");
    time_is_up().await;
    ensure!(succeed(&*breaker).await == Called::Succeeded, "a call was rejected after it");
    Ok(())
}

async fn hammered(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::consecutive(3))?;
    open(&*breaker).await?;
    let opened = Instant::now();
    let hammer = async {
        while succeed(&*breaker).await == Called::Rejected {
            sleep(Duration::from_millis(1)).await;
        }
    };
    let came_back = timeout(OPEN * 4, hammer).await;
    ensure!(came_back.is_ok(), "it is open after {:?}", opened.elapsed());
    Ok(())
}

async fn rejected(contender: &dyn Contender) -> Outcome {
    let rules = Rules::consecutive(5);
    let fresh = failures_to_open(&*contender.breaker(rules.clone())?).await?;
    let breaker = contender.breaker(rules)?;
    open(&*breaker).await?;
    for _ in 0..1000 {
        fail(&*breaker).await;
    }
    time_is_up().await;
    for _ in 0..4 {
        ensure!(succeed(&*breaker).await == Called::Succeeded, "it has not closed");
    }
    let failures = failures_to_open(&*breaker).await?;
    ensure!(failures >= fresh.min(5), "{failures} failures opened it again, and {fresh} at first");
    Ok(())
}

async fn longer(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules { longer: Some(2), ..Rules::consecutive(3) })?;
    open(&*breaker).await?;
    time_is_up().await;
    first_probe(&*breaker).await?.fail().await;
    second_is_longer(&*breaker).await
}

async fn flapping(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules { longer: Some(2), ..Rules::consecutive(3) })?;
    open(&*breaker).await?;
    time_is_up().await;
    for _ in 0..2 {
        ensure!(succeed(&*breaker).await == Called::Succeeded, "it has not closed");
    }
    second_is_longer(&*breaker).await
}

async fn second_is_longer(breaker: &dyn Breaker) -> Outcome {
    open(breaker).await?;
    time_is_up().await;
    ensure!(
        succeed(breaker).await == Called::Rejected,
        "a call was made after the first open time"
    );
    sleep(SPARE).await;
    ensure!(succeed(breaker).await == Called::Succeeded, "a call was rejected after twice of it");
    Ok(())
}

async fn told(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules { told: true, ..Rules::consecutive(3) })?;
    for _ in 0..3 {
        fail_with(&*breaker, Trouble::TheirsFor(OPEN * 2)).await;
    }
    time_is_up().await;
    ensure!(succeed(&*breaker).await == Called::Rejected, "a call was made after the usual time");
    sleep(SPARE).await;
    ensure!(
        succeed(&*breaker).await == Called::Succeeded,
        "a call was rejected after what was told"
    );
    Ok(())
}

async fn retry_in(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::consecutive(3))?;
    open(&*breaker).await?;
    let left = breaker.retry_in()?;
    ensure!(left > OPEN / 3 && left <= OPEN, "it said {left:?} of {OPEN:?}");
    Ok(())
}

async fn seen(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::consecutive(3))?;
    ensure!(breaker.state()? == State::Closed, "a new one is {:?}", breaker.state()?);
    open(&*breaker).await?;
    ensure!(breaker.state()? == State::Open, "an open one is {:?}", breaker.state()?);
    time_is_up().await;
    let state = breaker.state()?;
    ensure!(state == State::HalfOpen, "it says {state:?}");
    Ok(())
}

async fn by_hand(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules { by_hand: true, ..Rules::consecutive(3) })?;
    let _switch = breaker.open_by_hand()?;
    ensure!(succeed(&*breaker).await == Called::Rejected, "a call was made at once");
    time_is_up().await;
    ensure!(succeed(&*breaker).await == Called::Rejected, "a call was made after the open time");
    Ok(())
}

async fn keyed(contender: &dyn Contender) -> Outcome {
    let breakers = contender.keyed(64)?;
    fail(&*breakers(0)).await;
    for key in 1..10_000 {
        succeed(&*breakers(key)).await;
    }
    ensure!(succeed(&*breakers(0)).await == Called::Rejected, "it is closed");
    Ok(())
}
