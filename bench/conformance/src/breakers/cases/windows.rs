//! Closed: what opens it.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    breakers::{
        Breaker, Called, Contender, Rules,
        calls::{fail, failures_to_open, succeed, time_is_up},
    },
    verdict::{Case, Outcome, Stop, cases, ensure},
};

const SECOND: Duration = Duration::from_secs(1);

pub fn cases() -> Vec<Case<dyn Contender>> {
    cases! {
        told, "it opens at the failure it was told",
            "Told five failures in a row, it opens with the fifth.",
            "more calls than planned wait for a dependency that is down.";
        row, "a success ends a row of failures",
            "Four failures, a success and four failures do not open a breaker that five in a row open.",
            "a dependency that fails now and then is shut off.";
        slides, "the last calls are what counts",
            "After 1,000 successes, at most 11 failures open one that looks at the last 10 calls.",
            "the longer it was well, the later it opens.";
        least, "a rate counts from its least of calls on",
            "Told to look at the last 20 calls once there are 10, it opens with the tenth failure, and not before.",
            "the first failure after a start opens it, or the option does nothing.";
        success, "a success never opens",
            "Six failures and three successes, which are too few for a rate, and then a success do not open it.",
            "it opens in the moment that the dependency answers.";
        row_and_rate, "a row opens it long before a rate could",
            "With both rules, five failures in a row open it, though a rate needs twenty calls.",
            "a dependency that is called once a second is called in vain for minutes.";
        old, "old failures do not count",
            "Nine failures, a pause longer than the window, and one more do not open one that needs ten in a second.",
            "failures of this morning open it at noon.";
        far_apart, "successes far apart still close it",
            "With a window of one second, three successful probes, each 0.6 s after the other, close it.",
            "a dependency that is seldom called stays shut off for ever.";
        long, "a rate may look back on 100 calls",
            "Told to look at the last 100 calls, it opens at half of them.",
            "a busy dependency is judged by too few calls.";
    }
}

async fn told(contender: &dyn Contender) -> Outcome {
    let failures = failures_to_open(&*contender.breaker(Rules::consecutive(5))?).await?;
    ensure!(failures == 5, "it has opened with failure {failures}");
    Ok(())
}

async fn row(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::consecutive(5))?;
    fail_times(&*breaker, 4).await;
    succeed(&*breaker).await;
    fail_times(&*breaker, 4).await;
    ensure!(succeed(&*breaker).await == Called::Succeeded, "it is open");
    Ok(())
}

async fn slides(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::rate(0.5, 10, 10))?;
    for _ in 0..1000 {
        succeed(&*breaker).await;
    }
    let failures = failures_to_open(&*breaker).await?;
    ensure!(failures <= 11, "it took {failures} failures in a row");
    Ok(())
}

async fn least(contender: &dyn Contender) -> Outcome {
    let failures = failures_to_open(&*contender.breaker(Rules::rate(0.5, 20, 10))?).await?;
    ensure!(failures == 10, "it has opened with failure {failures}");
    Ok(())
}

async fn success(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::rate(0.5, 10, 10))?;
    for _ in 0..3 {
        fail_times(&*breaker, 2).await;
        succeed(&*breaker).await;
    }
    for nth in 10..12 {
        ensure!(succeed(&*breaker).await == Called::Succeeded, "it has opened before call {nth}");
    }
    Ok(())
}

async fn row_and_rate(contender: &dyn Contender) -> Outcome {
    let last = Rules { consecutive: Some(5), ..Rules::rate(0.5, 20, 20) };
    let breaker = match contender.breaker(last) {
        // A rate of another kind is as good.
        Err(Stop::Cannot(_)) => contender
            .breaker(Rules { consecutive: Some(5), ..Rules::rate_over(0.5, SECOND * 30, 20) })?,
        breaker => breaker?,
    };
    let failures = failures_to_open(&*breaker).await?;
    ensure!(failures == 5, "it has opened with failure {failures}");
    Ok(())
}

async fn old(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::rate_over(0.5, SECOND, 10))?;
    fail_times(&*breaker, 9).await;
    sleep(SECOND * 13 / 10).await;
    fail_times(&*breaker, 1).await;
    ensure!(succeed(&*breaker).await == Called::Succeeded, "it is open");
    Ok(())
}

async fn far_apart(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules { probes: 3, ..Rules::rate_over(0.5, SECOND, 10) })?;
    // One of the crates does not open before a window has passed.
    let mut tries = 0;
    while fail(&*breaker).await != Called::Rejected {
        tries += 1;
        ensure!(tries < 200, "it does not open");
        sleep(SECOND / 50).await;
    }
    time_is_up().await;
    for _ in 0..3 {
        ensure!(succeed(&*breaker).await == Called::Succeeded, "a probe was turned away");
        sleep(SECOND * 6 / 10).await;
    }
    for _ in 0..20 {
        let next = succeed(&*breaker).await;
        ensure!(next == Called::Succeeded, "three probes have succeeded, and calls are rejected");
    }
    Ok(())
}

async fn long(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::rate(0.5, 100, 100))?;
    for _ in 0..60 {
        succeed(&*breaker).await;
    }
    let failures = failures_to_open(&*breaker).await?;
    ensure!(
        (50..=61).contains(&failures),
        "it has opened with failure {failures} after 60 successes"
    );
    Ok(())
}

async fn fail_times(breaker: &dyn Breaker, times: u32) {
    for _ in 0..times {
        fail(breaker).await;
    }
}
