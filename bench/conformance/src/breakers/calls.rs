//! Calls through a breaker, as the cases make them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::oneshot, task::JoinHandle, time::sleep};

use crate::{
    breakers::{Breaker, Called, OPEN, Trouble, Work},
    verdict::{Outcome, Stop, ensure},
};

/// More failing calls than any rule of a case asks for.
const MANY: u32 = 2500;

/// A call that succeeds at once.
pub async fn succeed(breaker: &dyn Breaker) -> Called {
    breaker.call(Box::pin(async { Ok(()) })).await
}

/// A call that fails at once.
pub async fn fail(breaker: &dyn Breaker) -> Called {
    fail_with(breaker, Trouble::Theirs).await
}

/// A call that fails at once in this way.
pub async fn fail_with(breaker: &dyn Breaker, trouble: Trouble) -> Called {
    breaker.call(Box::pin(async move { Err(trouble) })).await
}

/// How many calls fail before one is rejected.
pub async fn failures_to_open(breaker: &dyn Breaker) -> Result<u32, Stop> {
    for failures in 0..MANY {
        if fail(breaker).await == Called::Rejected {
            return Ok(failures);
        }
    }
    Err(Stop::Observed(format!("{MANY} failures did not open it")))
}

/// Whether it was closed, by how many failures opened it then and `fresh` ones do when it is new. Half-open, a few do.
pub fn was_closed(failures: u32, fresh: u32) -> bool {
    failures * 2 > fresh
}

/// Lets it open, by failures.
pub async fn open(breaker: &dyn Breaker) -> Outcome {
    failures_to_open(breaker).await.map(drop)
}

/// Waits until calls are let through again, with some time to spare.
pub async fn time_is_up() {
    sleep(OPEN + Duration::from_millis(50)).await;
}

/// A call that is under way until the case ends it.
pub struct Held {
    end: oneshot::Sender<Result<(), Trouble>>,
    task: JoinHandle<Called>,
}

/// Begins a call; `None` if it was rejected.
pub async fn hold(breaker: &dyn Breaker) -> Option<Held> {
    let (end, ended) = oneshot::channel();
    let began = Arc::new(AtomicBool::new(false));
    let inside = began.clone();
    let work: Work = Box::pin(async move {
        inside.store(true, Ordering::Release);
        ended.await.unwrap_or(Ok(()))
    });
    let task = tokio::spawn(breaker.call(work));
    while !began.load(Ordering::Acquire) {
        if task.is_finished() {
            return None;
        }
        tokio::task::yield_now().await;
    }
    Some(Held { end, task })
}

impl Held {
    /// It succeeds.
    pub async fn succeed(self) -> Called {
        self.finish(Ok(())).await
    }

    /// It fails.
    pub async fn fail(self) -> Called {
        self.finish(Err(Trouble::Theirs)).await
    }

    async fn finish(self, result: Result<(), Trouble>) -> Called {
        let _ = self.end.send(result);
        self.task.await.unwrap_or(Called::Failed)
    }

    /// Its caller gives it up.
    pub async fn cancel(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Begins so many calls, all of which must be let through.
pub async fn hold_all(breaker: &dyn Breaker, calls: u32) -> Result<Vec<Held>, Stop> {
    let mut held = Vec::new();
    for _ in 0..calls {
        held.extend(hold(breaker).await);
    }
    ensure!(held.len() == calls as usize, "{} of {calls} calls were let through", held.len());
    Ok(held)
}

/// Opens it, waits, and begins a first probe.
pub async fn probe(breaker: &dyn Breaker) -> Result<Held, Stop> {
    open(breaker).await?;
    time_is_up().await;
    first_probe(breaker).await
}

/// Begins a probe of a breaker whose time is up.
pub async fn first_probe(breaker: &dyn Breaker) -> Result<Held, Stop> {
    let probe = hold(breaker).await;
    probe.ok_or_else(|| Stop::Observed("no call was let through after the open time".to_owned()))
}
