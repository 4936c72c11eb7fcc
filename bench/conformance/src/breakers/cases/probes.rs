//! Half-open: who may try, and what decides.

use std::{
    pin::pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Waker},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Builder,
    task::yield_now,
    time::{sleep, timeout},
};

use crate::{
    breakers::{
        Breaker, Called, Contender, OPEN, Rules, Trouble,
        calls::{
            fail_with, failures_to_open, first_probe, hold, open, probe, succeed, time_is_up,
            was_closed,
        },
    },
    verdict::{Case, Outcome, Stop, cases, ensure},
};

/// Enough failures in a row to tell a closed breaker from one that is half-open, which the first failures open.
const FRESH: u32 = 10;

const PROBES: u32 = 3;

pub fn cases() -> Vec<Case<dyn Contender>> {
    cases! {
        bounded, "probes at once are bounded",
            "Half-open, no more calls are under way than may be.",
            "a dependency that is about to recover gets the whole load at once.";
        bounded_in_a_race, "probes at once are bounded, in a race",
            "When the time is up, one of eight threads that come at once is the probe.",
            "the bound is gone in the moment that it is for.";
        successes, "the successes that were asked for close it",
            "Half-open, it closes with the third success if three were asked for, and not before.",
            "one lucky call lets the whole load in, or more calls than planned are turned away.";
        hangs, "a probe that hangs gives its place back",
            "Where a probe may take 100 ms, another call may be made soon after, also if the first never ends.",
            "one hung call, with no limit of its own, keeps a healthy dependency shut off for ever.";
        unpolled, "a probe nobody polls gives its place back",
            "The same holds for a probe whose future is kept and not polled any more, as `select!` in a loop does.",
            "a task that is stuck elsewhere keeps a healthy dependency shut off for ever.";
        cancelled_place, "a cancelled probe gives its place back",
            "After a probe was dropped, another call may be made.",
            "one client that hangs up keeps a healthy dependency shut off.";
        cancelled_decides_nothing, "a cancelled probe closes nothing",
            "A probe that was dropped does not close it.",
            "a dependency that hangs is declared healthy because nobody waited for it.";
        ignored_decides_nothing, "an ignored result does not close",
            "A probe that ends with an error of the caller's own does not close it.",
            "a mistake of ours, made before anything was sent, declares the dependency healthy.";
        ignored_place, "an ignored result gives its place back",
            "After a probe that says nothing, another call may be made.",
            "a mistake of ours keeps a healthy dependency shut off.";
    }
}

fn several(contender: &dyn Contender) -> Result<Box<dyn Breaker>, Stop> {
    contender.breaker(Rules { probes: PROBES, ..Rules::consecutive(FRESH) })
}

async fn bounded(contender: &dyn Contender) -> Outcome {
    let breaker = several(contender)?;
    open(&*breaker).await?;
    time_is_up().await;
    let mut held = Vec::new();
    for _ in 0..20 {
        held.extend(hold(&*breaker).await);
    }
    let most = PROBES as usize;
    ensure!(held.len() <= most, "{} calls of 20 are under way, and {most} may be", held.len());
    ensure!(!held.is_empty(), "no call was let through after the open time");
    Ok(())
}

async fn bounded_in_a_race(contender: &dyn Contender) -> Outcome {
    const THREADS: u32 = 8;
    const ROUNDS: u32 = 40;
    let open_time = Duration::from_millis(5);
    for round in 0..ROUNDS {
        let rules = Rules { open: open_time, ..Rules::consecutive(3) };
        let breaker: Arc<dyn Breaker> = contender.breaker(rules)?.into();
        open(&*breaker).await?;
        sleep(open_time * 2).await;
        let gate = Barrier::new(THREADS as usize);
        let (made, decided) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let runtime = Builder::new_current_thread().enable_time().build();
                    let runtime = runtime.expect("a runtime can be built");
                    let (made, inside) = (made.clone(), decided.clone());
                    let call = breaker.call(Box::pin(async move {
                        made.fetch_add(1, Ordering::AcqRel);
                        inside.fetch_add(1, Ordering::AcqRel);
                        // Under way until everybody has been let in or turned away.
                        let began = Instant::now();
                        while inside.load(Ordering::Acquire) < THREADS
                            && began.elapsed() < Duration::from_secs(1)
                        {
                            yield_now().await;
                        }
                        Ok(())
                    }));
                    gate.wait();
                    if runtime.block_on(call) == Called::Rejected {
                        decided.fetch_add(1, Ordering::AcqRel);
                    }
                });
            }
        });
        let made = made.load(Ordering::Acquire);
        ensure!(made == 1, "{made} of {THREADS} calls were made at once, in round {round}");
    }
    Ok(())
}

async fn successes(contender: &dyn Contender) -> Outcome {
    let fresh = failures_to_open(&*several(contender)?).await?;
    let breaker = several(contender)?;
    open(&*breaker).await?;
    time_is_up().await;
    for _ in 0..PROBES - 1 {
        ensure!(succeed(&*breaker).await != Called::Rejected, "a probe was turned away");
    }
    let failures = failures_to_open(&*breaker).await?;
    ensure!(!was_closed(failures, fresh), "it has closed before the success that it was told");
    time_is_up().await;
    for _ in 0..PROBES {
        ensure!(succeed(&*breaker).await != Called::Rejected, "a probe was turned away");
    }
    let failures = failures_to_open(&*breaker).await?;
    ensure!(was_closed(failures, fresh), "{PROBES} successes have not closed it");
    Ok(())
}

async fn hangs(contender: &dyn Contender) -> Outcome {
    let rules = Rules { probe_timeout: Some(Duration::from_millis(100)), ..Rules::consecutive(3) };
    let breaker = contender.breaker(rules)?;
    let _stuck = probe(&*breaker).await?;
    comes_back(&*breaker).await
}

async fn unpolled(contender: &dyn Contender) -> Outcome {
    let rules = Rules { probe_timeout: Some(Duration::from_millis(100)), ..Rules::consecutive(3) };
    let breaker = contender.breaker(rules)?;
    open(&*breaker).await?;
    time_is_up().await;
    let mut stuck = breaker.call(Box::pin(std::future::pending()));
    let polled = pin!(&mut stuck).poll(&mut Context::from_waker(Waker::noop()));
    ensure!(polled.is_pending(), "no call was let through after the open time");
    comes_back(&*breaker).await
}

/// Whether a call is let through within two seconds.
async fn comes_back(breaker: &dyn Breaker) -> Outcome {
    let comes_back = async {
        while succeed(breaker).await == Called::Rejected {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let came_back = timeout(Duration::from_secs(2), comes_back).await;
    ensure!(came_back.is_ok(), "all calls of the next 2 s were rejected");
    Ok(())
}

async fn cancelled_place(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::consecutive(3))?;
    probe(&*breaker).await?.cancel().await;
    let next = hold(&*breaker).await;
    ensure!(next.is_some(), "the next call was rejected");
    Ok(())
}

async fn cancelled_decides_nothing(contender: &dyn Contender) -> Outcome {
    let fresh = failures_to_open(&*several(contender)?).await?;
    let breaker = several(contender)?;
    open(&*breaker).await?;
    time_is_up().await;
    for _ in 0..PROBES + 1 {
        first_probe(&*breaker).await?.cancel().await;
    }
    let failures = failures_to_open(&*breaker).await?;
    ensure!(
        !was_closed(failures, fresh),
        "it took {failures} failures to open it again, as when it is closed"
    );
    Ok(())
}

async fn ignored_decides_nothing(contender: &dyn Contender) -> Outcome {
    let fresh = failures_to_open(&*several(contender)?).await?;
    let breaker = several(contender)?;
    open(&*breaker).await?;
    time_is_up().await;
    for _ in 0..PROBES + 1 {
        fail_with(&*breaker, Trouble::Ours).await;
    }
    let failures = failures_to_open(&*breaker).await?;
    ensure!(
        !was_closed(failures, fresh),
        "it took {failures} failures to open it again, as when it is closed"
    );
    Ok(())
}

async fn ignored_place(contender: &dyn Contender) -> Outcome {
    let breaker = contender.breaker(Rules::consecutive(3))?;
    open(&*breaker).await?;
    time_is_up().await;
    let first = fail_with(&*breaker, Trouble::Ours).await;
    ensure!(first == Called::Failed, "no call was let through after {OPEN:?}");
    ensure!(succeed(&*breaker).await == Called::Succeeded, "the next call was rejected");
    Ok(())
}
