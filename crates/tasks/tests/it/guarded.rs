//! Time limits and stops.

use std::{cell::Cell, future::pending, time::Duration};

use tokio::{sync::oneshot, task::yield_now, time::sleep}; // sleep-ok: time is paused
use underpin_tasks::{Failure, each};

const LIMIT: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn each_operation_has_its_own_time() {
    // One after the other: the second starts when the first is done, and its time with it.
    let settled = each([1500_u64, 1500, 2500])
        .limit(1)
        .timeout(LIMIT)
        .settle(async |millis| {
            sleep(Duration::from_millis(millis)).await; // sleep-ok: time is paused
            Ok::<_, String>(millis)
        })
        .await;
    assert!(matches!(settled[..2], [Ok(1500), Ok(1500)]), "{settled:?}");
    assert!(matches!(settled[2], Err(Failure::TimedOut(LIMIT))), "{settled:?}");
    assert_eq!(settled[2].as_ref().unwrap_err().to_string(), "timed out after 2s");
}

#[tokio::test(start_paused = true)]
async fn what_is_done_at_the_very_limit_is_a_result() {
    let done = each([()]).timeout(LIMIT).try_map(async |()| {
        sleep(LIMIT).await; // sleep-ok: time is paused
        Ok::<_, String>(1)
    });
    assert_eq!(done.await.unwrap(), [1]);
}

/// It uses up all that tokio gives the task in a turn, every turn, so that nothing would be left for the timer.
#[tokio::test]
async fn an_operation_that_is_always_busy_is_timed_out_too() {
    let started = std::time::Instant::now();
    let busy = each([()]).timeout(Duration::from_millis(1)).settle(async |()| {
        while started.elapsed() < Duration::from_secs(10) {
            tokio::task::consume_budget().await;
        }
        Ok::<(), String>(())
    });
    assert!(matches!(busy.await[..], [Err(Failure::TimedOut(_))]), "it ran for ten seconds");
}

#[tokio::test(start_paused = true)]
async fn try_map_returns_the_time_limit() {
    let result = each(0..3).timeout(LIMIT).try_map(async |item| {
        if item == 1 {
            pending::<()>().await;
        }
        Ok::<_, String>(item)
    });
    assert!(matches!(result.await, Err(Failure::TimedOut(LIMIT))));
}

#[tokio::test]
async fn a_stop_cancels_what_runs_and_what_has_not_started() {
    let (stop, stopped) = oneshot::channel::<()>();
    let mut stop = Some(stop);
    let started = Cell::new(0);
    let settled = each(0..6)
        .limit(2)
        .until(stopped)
        .settle(|item| {
            started.set(started.get() + 1);
            let stop = if item == 2 { stop.take() } else { None };
            async move {
                match item {
                    0 => pending::<()>().await,
                    2 => drop(stop),
                    _ => {}
                }
                if item == 3 {
                    pending::<()>().await;
                }
                yield_now().await;
                Ok::<_, String>(item)
            }
        })
        .await;
    assert_eq!(settled.len(), 6);
    assert!(matches!(settled[1], Ok(1)), "{settled:?}");
    for number in [0, 3, 4, 5] {
        assert!(matches!(settled[number], Err(Failure::Cancelled)), "{settled:?}");
    }
    assert!(started.get() <= 4, "{} started", started.get());
}

#[tokio::test]
async fn a_stop_that_has_come_already_starts_nothing() {
    let settled = each(0..3)
        .until(async {})
        .settle(|_| -> std::future::Pending<Result<(), ()>> { unreachable!("started") })
        .await;
    assert_eq!(settled.len(), 3);
    assert!(settled.iter().all(|result| matches!(result, Err(Failure::Cancelled))), "{settled:?}");
    let stopped = each(0..3).until(async {}).try_map(async |item| Ok::<_, String>(item)).await;
    assert!(matches!(stopped, Err(Failure::Cancelled)));
}

#[test]
fn without_a_time_limit_no_runtime_is_needed() {
    let mut batch =
        std::pin::pin!(each([1, 2]).until(pending::<()>()).try_map(|n| std::future::ready(Ok::<
            _,
            String,
        >(
            n
        ))));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Ok(done)) = batch.as_mut().poll(&mut cx) else {
        panic!("not done");
    };
    assert_eq!(done, [1, 2]);
}
