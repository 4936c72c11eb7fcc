//! What a retry adds to a call that succeeds at once.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use measure::{Shared, print, run_shared};
use tokio_retry::strategy::{ExponentialBackoff, jitter};
use underpin_retry::{Budget, Retry};

use crate::polled::{make, succeeds};

const BATCHES: usize = 101;
const BATCH: Duration = Duration::from_millis(4);

/// Prints the table.
pub fn tables() {
    let title = "a first try that succeeds, through three retries with jitter";
    print(title, &run_shared(first_try(), 1, BATCHES, BATCH));
}

/// All of them. The first one is the call alone.
pub fn first_try() -> Vec<Shared> {
    let delays = Duration::from_millis(100)..=Duration::from_secs(10);
    let retry = Retry::exponential(delays.clone()).retries(3);
    let budgeted = retry.clone().budget(&Budget::ratio(0.2)).within(Duration::from_secs(25));
    vec![
        Shared::new("the future alone", || Box::new(|| make(succeeds()))),
        Shared::new("underpin-retry", move || {
            let retry = retry.clone();
            Box::new(move || make(retry.run(|_| succeeds()).into_future()))
        }),
        Shared::new("underpin-retry, budget and deadline", move || {
            let retry = budgeted.clone();
            Box::new(move || make(retry.run(|_| succeeds()).into_future()))
        }),
        Shared::new("backon", move || {
            let delays = delays.clone();
            Box::new(move || {
                let backoff = ExponentialBuilder::default()
                    .with_min_delay(*delays.start())
                    .with_max_delay(*delays.end())
                    .with_max_times(3)
                    .with_jitter();
                make(succeeds.retry(backoff));
            })
        }),
        Shared::new("tokio-retry", || {
            Box::new(|| {
                let delays = ExponentialBackoff::from_millis(100).map(jitter).take(3);
                make(tokio_retry::Retry::start(delays, succeeds));
            })
        }),
    ]
}
