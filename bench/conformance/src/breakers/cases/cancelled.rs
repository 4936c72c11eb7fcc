//! Calls without a result: given up, never begun, panicked; and slow ones.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    breakers::{
        Called, Contender, Rules,
        calls::{hold, hold_all, open, succeed, time_is_up},
    },
    verdict::{Case, Outcome, cases, ensure},
};

const SLOW: Duration = Duration::from_millis(30);

pub fn cases() -> Vec<Case<dyn Contender>> {
    cases! {
        quick, "quick cancellations do not open",
            "Twenty calls that are given up at once do not open it.",
            "clients that hang up shut a healthy dependency off.";
        slow_and_given_up, "slow calls that are given up open it",
            "Where slow calls count as failures, those count, too, whose callers give up before they end.",
            "a dependency that hangs, behind a timeout, never opens it.";
        slow_successes, "slow successes open it",
            "Where slow calls count as failures, it does not matter that they succeed.",
            "a dependency that is too slow to be useful is called on and on.";
        unpolled, "a call that never begins takes no place",
            "Half-open, futures that are made and not polled leave the places to others.",
            "a future that is kept for later keeps a healthy dependency shut off.";
        panicked, "a call that panics is a failure",
            "Five calls that panic open a breaker that five failures open.",
            "a response that always breaks the client is asked for on and on.";
        panicked_probe, "a probe that panics gives its place back",
            "After a probe has panicked, another one may be made after another open time.",
            "one panic keeps a healthy dependency shut off for ever.";
    }
}

async fn quick(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::consecutive(3))?;
    for call in hold_all(&*breaker, 20).await? {
        call.cancel().await;
    }
    ensure!(succeed(&*breaker).await == Called::Succeeded, "the next call was rejected");
    Ok(())
}

async fn slow_and_given_up(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules { slow: Some(SLOW), ..Rules::consecutive(3) })?;
    let calls = hold_all(&*breaker, 20).await?;
    sleep(SLOW * 2).await;
    for call in calls {
        call.cancel().await;
    }
    let next = succeed(&*breaker).await;
    ensure!(next == Called::Rejected, "20 of them have not opened it");
    Ok(())
}

async fn slow_successes(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules { slow: Some(SLOW), ..Rules::consecutive(3) })?;
    let calls = hold_all(&*breaker, 20).await?;
    sleep(SLOW * 2).await;
    for call in calls {
        call.succeed().await;
    }
    let next = succeed(&*breaker).await;
    ensure!(next == Called::Rejected, "20 of them have not opened it");
    Ok(())
}

async fn unpolled(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::consecutive(3))?;
    open(&*breaker).await?;
    time_is_up().await;
    let call = || breaker.call(Box::pin(async { Ok(()) }));
    let _kept = call();
    (0..5).for_each(|_| drop(call()));
    let next = hold(&*breaker).await;
    ensure!(next.is_some(), "the next call was rejected");
    Ok(())
}

async fn panicked(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::consecutive(5))?;
    for _ in 0..6 {
        let _ = tokio::spawn(breaker.call(Box::pin(async { panic!("it breaks") }))).await;
    }
    let next = succeed(&*breaker).await;
    ensure!(next == Called::Rejected, "6 panics have not opened it");
    Ok(())
}

async fn panicked_probe(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::consecutive(3))?;
    open(&*breaker).await?;
    time_is_up().await;
    let _ = tokio::spawn(breaker.call(Box::pin(async { panic!("it breaks") }))).await;
    time_is_up().await;
    let next = hold(&*breaker).await;
    ensure!(next.is_some(), "the next call was rejected");
    Ok(())
}
