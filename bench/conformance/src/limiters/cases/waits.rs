//! Waiting for what is granted later. All on the real clock, which one of the crates cannot do without.

use std::time::Duration;

use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::{
    limiters::{Contender, Limiter, Quota, calls::granted_at},
    verdict::{Case, Outcome, Stop, cases, ensure},
};

/// A rate of one in this time.
const EVERY: Duration = Duration::from_millis(200);

/// What timers may be off by.
const SLACK: u64 = 40;

pub fn cases() -> Vec<Case<dyn Contender>> {
    cases! {
        paced, "waits are paced by the rate",
            "With a burst of one and 5 a second, five that wait at once are granted 200 ms after each other.",
            "a provider that counts sees more than was agreed.";
        order, "waits are granted in their order",
            "Who has begun to wait first is granted first.",
            "a request can wait for ever while later ones go through.";
        cancelled, "a cancelled wait lets no two through at once",
            "Of four that wait, one is given up in the middle and a fifth one comes: no two are granted closer than the rate allows.",
            "clients that hang up break the limit.";
        free, "a cancelled wait costs nothing",
            "After the only one that waits was given up, the next waits no longer than it would have.",
            "clients that hang up use up the limit.";
        early, "a wait that cannot be in time fails at once",
            "Told to wait 100 ms at most, a request that is due in 200 ms is refused at once.",
            "a caller waits for nothing, and has less time for something else.";
        large, "a large wait is not starved by small ones",
            "While others wait for one all the time, one that waits for four is granted within four seconds.",
            "a batch waits as long as there is other traffic.";
    }
}

type Ended = JoinHandle<Option<u64>>;

fn begin(limiter: &dyn Limiter, n: u32, began: Instant) -> Result<Ended, Stop> {
    Ok(tokio::spawn(granted_at(limiter.wait(n, None)?, began)))
}

/// Begins several, one after the other, the first of which is granted at once.
async fn begin_all(
    limiter: &dyn Limiter,
    waits: usize,
    began: Instant,
) -> Result<Vec<Ended>, Stop> {
    let mut all = Vec::new();
    for _ in 0..waits {
        all.push(begin(limiter, 1, began)?);
        sleep(Duration::from_millis(2)).await;
    }
    Ok(all)
}

async fn times(waits: Vec<Ended>) -> Result<Vec<u64>, Stop> {
    let mut times = Vec::new();
    for wait in waits {
        let time = wait.await.ok().flatten();
        times.push(time.ok_or_else(|| Stop::Observed("a wait was refused".to_owned()))?);
    }
    Ok(times)
}

/// Whether no two are closer than the rate allows.
fn are_paced(times: &[u64]) -> bool {
    let mut times = times.to_vec();
    times.sort_unstable();
    let every = u64::try_from(EVERY.as_millis()).expect("it is a short time");
    times.windows(2).all(|two| two[1] - two[0] + SLACK >= every)
}

async fn paced(contender: &dyn Contender) -> Outcome {
    let limiter = contender.limiter(Quota::smooth(5, 1))?;
    let times = times(begin_all(&*limiter, 5, Instant::now()).await?).await?;
    ensure!(are_paced(&times), "they were granted at {times:?} ms");
    let last = times.iter().max().copied().unwrap_or_default();
    ensure!(last < 800 + 4 * SLACK, "the last one was granted at {last} ms");
    Ok(())
}

async fn order(contender: &dyn Contender) -> Outcome {
    let limiter = contender.limiter(Quota::smooth(20, 1))?;
    let times = times(begin_all(&*limiter, 10, Instant::now()).await?).await?;
    ensure!(times.is_sorted(), "they were granted at {times:?} ms");
    Ok(())
}

async fn cancelled(contender: &dyn Contender) -> Outcome {
    let limiter = contender.limiter(Quota::smooth(5, 1))?;
    let began = Instant::now();
    let mut waits = begin_all(&*limiter, 4, began).await?;
    sleep(EVERY / 2).await;
    // Not the first, which was granted, but the one that is due next.
    waits.remove(1).abort();
    sleep(Duration::from_millis(10)).await;
    waits.push(begin(&*limiter, 1, began)?);
    let times = times(waits).await?;
    ensure!(are_paced(&times), "they were granted at {times:?} ms");
    Ok(())
}

async fn free(contender: &dyn Contender) -> Outcome {
    let limiter = contender.limiter(Quota::smooth(5, 1))?;
    let began = Instant::now();
    let waits = begin_all(&*limiter, 2, began).await?;
    sleep(EVERY / 2).await;
    waits[1].abort();
    sleep(Duration::from_millis(10)).await;
    let next = times(vec![begin(&*limiter, 1, began)?]).await?[0];
    ensure!(next < 200 + 2 * SLACK, "the next one was granted at {next} ms");
    Ok(())
}

async fn early(contender: &dyn Contender) -> Outcome {
    let within = Some(Duration::from_millis(100));
    let limiter = contender.limiter(Quota::smooth(5, 1))?;
    ensure!(limiter.wait(1, within)?.await, "the first one was refused");
    let began = Instant::now();
    let granted = limiter.wait(1, within)?.await;
    let took = began.elapsed();
    ensure!(!granted, "it was granted after {took:?}");
    ensure!(took < Duration::from_millis(50), "it was refused after {took:?}");
    Ok(())
}

async fn large(contender: &dyn Contender) -> Outcome {
    // Slow, so that a machine that stalls does not save up what the large one needs.
    let limiter = contender.limiter(Quota::smooth(5, 5))?;
    let small = async {
        let one = || one_after_the_other(&*limiter);
        tokio::try_join!(one(), one(), one()).map(drop)
    };
    let big = async {
        sleep(EVERY).await;
        limiter.wait(4, None)?.await;
        Ok(())
    };
    let first = async {
        tokio::select! {
            outcome = small => outcome,
            outcome = big => outcome,
        }
    };
    let outcome: Result<Outcome, _> = timeout(Duration::from_secs(4), first).await;
    outcome.unwrap_or_else(|_| Err(Stop::Observed("it was not".to_owned())))
}

async fn one_after_the_other(limiter: &dyn Limiter) -> Outcome {
    loop {
        times(vec![begin(limiter, 1, Instant::now())?]).await?;
    }
}
