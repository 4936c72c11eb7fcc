//! One cell: a case against a contender, within a time, with panics caught.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use tokio::runtime::Builder;

use crate::verdict::{Case, Outcome, Stop, Verdict};

/// How long a case may take.
const TIME: Duration = Duration::from_secs(20);

/// A case has failed when it has failed so often in a row.
const ATTEMPTS: usize = 3;

/// Runs a case against a contender, which says whether a failure is meant to be.
pub fn cell<C>(
    case: &'static Case<C>,
    contender: &'static C,
    by_design: Option<&'static str>,
) -> Verdict
where
    C: ?Sized + Sync,
{
    let mut verdict = Verdict::Holds;
    for _ in 0..ATTEMPTS {
        verdict = match attempt(case, contender) {
            Ok(Ok(Ok(()))) => return Verdict::Holds,
            Ok(Ok(Err(Stop::Cannot(why)))) => return Verdict::Unavailable(why),
            Ok(Ok(Err(Stop::Observed(seen)))) => match by_design {
                Some(meant) => return Verdict::Differs(seen, meant),
                None => Verdict::Fails(seen),
            },
            Ok(Err(message)) => Verdict::Panics(message),
            // It has had its time.
            Err(_) => return Verdict::Hangs,
        };
    }
    verdict
}

fn attempt<C>(
    case: &'static Case<C>,
    contender: &'static C,
) -> Result<Result<Outcome, String>, RecvTimeoutError>
where
    C: ?Sized + Sync,
{
    let (sender, receiver) = channel();
    // A thread that hangs is left behind: the process ends soon.
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a runtime can be built");
        let run = || runtime.block_on((case.run)(contender));
        let outcome = catch_unwind(AssertUnwindSafe(run)).map_err(|panic| message(&*panic));
        let _ = sender.send(outcome);
        // Tasks that a case has left behind may hang, too.
        runtime.shutdown_background();
    });
    receiver.recv_timeout(TIME)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}
