//! One call and its attempts.

use std::{
    cell::{Cell, RefCell},
    error::Error,
    future::{Future as _, pending},
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use underpin_retry::{Budget, GaveUp, Jitter, Retry, Verdict, Why};

use crate::{millis, secs};

/// When each attempt began, in seconds, and how the call ended.
async fn trace<E>(
    retry: &Retry,
    mut result: impl FnMut(u32) -> Result<u32, E>,
    classify: impl FnMut(&E) -> Verdict,
) -> (Vec<f64>, Result<u32, GaveUp<E>>) {
    let begin = Instant::now();
    let times = RefCell::new(Vec::new());
    let run = retry.run(|attempt| {
        times.borrow_mut().push(begin.elapsed().as_secs_f64());
        let result = result(attempt.number());
        async move { result }
    });
    let output = run.when(classify).await;
    (times.into_inner(), output)
}

fn always(_: &&str) -> Verdict {
    Verdict::Retry
}

fn plain() -> Retry {
    Retry::exponential(secs(1)..=secs(10)).jitter(Jitter::None)
}

#[tokio::test(start_paused = true)]
async fn success_at_once_is_one_attempt() {
    let (times, output) = trace(&plain(), |_| Ok::<_, &str>(7), always).await;
    assert_eq!((times, output), (vec![0.0], Ok(7)));
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_after_1_2_4_seconds() {
    let (times, output) = trace(&plain(), |_| Err("down"), always).await;
    assert_eq!(times, [0.0, 1.0, 3.0, 7.0]);
    let gave_up = output.unwrap_err();
    assert_eq!((gave_up.last, gave_up.attempts, gave_up.why), ("down", 4, Why::Attempts));
    assert_eq!(gave_up.elapsed, secs(7));
    assert_eq!(gave_up.to_string(), "gave up after 4 attempts in 7.000 s: no attempts are left");
}

#[tokio::test(start_paused = true)]
async fn later_success_ends_it() {
    let (times, output) =
        trace(&plain(), |n| if n < 3 { Err("down") } else { Ok(n) }, always).await;
    assert_eq!((times, output), (vec![0.0, 1.0, 3.0], Ok(3)));
}

#[tokio::test(start_paused = true)]
async fn final_errors_are_not_tried_again() {
    let output = plain().run(|_| async { Err::<(), _>("no such user") }).when(|_| false).await;
    let gave_up = output.unwrap_err();
    assert_eq!((gave_up.attempts, gave_up.why), (1, Why::Final));
}

#[tokio::test(start_paused = true)]
async fn without_a_classifier_every_error_is_tried_again() {
    let attempts = Cell::new(0);
    let run = plain().run(|_| {
        attempts.set(attempts.get() + 1);
        async { Err::<(), _>(()) }
    });
    assert!(run.await.is_err());
    assert_eq!(attempts.get(), 4);
}

#[tokio::test(start_paused = true)]
async fn retry_that_would_begin_too_late_is_not_waited_for() {
    let retry = plain().retries(10).within(secs(5));
    let (times, output) = trace(&retry, |_| Err("down"), always).await;
    assert_eq!(times, [0.0, 1.0, 3.0]);
    let gave_up = output.unwrap_err();
    assert_eq!((gave_up.why, gave_up.elapsed), (Why::Deadline, secs(3)));
}

#[tokio::test(start_paused = true)]
async fn retry_at_the_deadline_itself_is_too_late() {
    let (times, _) = trace(&plain().within(secs(1)), |_| Err("down"), always).await;
    assert_eq!(times, [0.0]);
}

#[tokio::test(start_paused = true)]
async fn attempts_know_their_number_and_what_is_left() {
    let seen = RefCell::new(Vec::new());
    let run = plain().within(secs(25)).run(|attempt| {
        seen.borrow_mut().push((attempt.number(), attempt.is_retry(), attempt.remaining()));
        async { Err::<(), _>(()) }
    });
    let _ = run.await;
    let left = |seconds| Some(secs(seconds));
    let expected =
        [(1, false, left(25)), (2, true, left(24)), (3, true, left(22)), (4, true, left(18))];
    assert_eq!(*seen.borrow(), expected);
}

#[tokio::test(start_paused = true)]
async fn time_told_by_the_server_is_waited_for() {
    let told = |_: &&str| Verdict::RetryAfter(secs(30));
    let (times, _) = trace(&plain().retries(2), |_| Err("busy"), told).await;
    assert_eq!(times, [0.0, 30.0, 60.0]);
}

#[tokio::test(start_paused = true)]
async fn time_told_by_the_server_gets_a_tenth_of_jitter_and_is_never_shortened() {
    let mut spread = (f64::MAX, 0.0_f64);
    for seed in 0..500 {
        let retry = Retry::exponential(secs(1)..=secs(10)).retries(1).seed(seed);
        let told = |_: &&str| Verdict::RetryAfter(secs(30));
        let (times, _) = trace(&retry, |_| Err("busy"), told).await;
        spread = (spread.0.min(times[1]), spread.1.max(times[1]));
    }
    assert!(spread.0 >= 30.0 && spread.0 < 30.1, "{spread:?}");
    assert!(spread.1 <= 33.001 && spread.1 > 32.9, "{spread:?}");
}

#[tokio::test(start_paused = true)]
async fn time_told_by_the_server_that_does_not_fit_ends_the_call_at_once() {
    let told = |_: &&str| Verdict::RetryAfter(secs(3600));
    let (times, output) = trace(&plain().within(secs(25)), |_| Err("busy"), told).await;
    assert_eq!(times, [0.0]);
    let gave_up = output.unwrap_err();
    assert_eq!((gave_up.why, gave_up.elapsed), (Why::Deadline, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn endless_times_end_the_call_and_do_not_panic() {
    let told = |_: &&str| Verdict::RetryAfter(Duration::MAX);
    let (_, output) = trace(&plain().within(Duration::MAX), |_| Err("busy"), told).await;
    assert_eq!(output.unwrap_err().why, Why::Deadline);
}

#[tokio::test(start_paused = true)]
async fn nothing_happens_before_the_first_poll() {
    let budget = Budget::ratio(1.0).burst(10);
    let retry = plain().within(secs(1)).budget(&budget);
    let called = Cell::new(false);
    let run = retry.run(|attempt| {
        called.set(true);
        let left = attempt.remaining();
        async move { Ok::<_, ()>(left) }
    });
    sleep(secs(10)).await; // sleep-ok: virtual time
    assert!(!called.get());
    assert_eq!(run.await, Ok(Some(secs(1))));
}

#[tokio::test(start_paused = true)]
async fn failed_attempt_is_dropped_before_the_wait() {
    struct Held<'a>(&'a Cell<u32>);
    impl Drop for Held<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }
    let held = Cell::new(0);
    let run = plain().run(|_| {
        assert_eq!(held.get(), 0);
        held.set(1);
        let guard = Held(&held);
        async move {
            let _guard = guard;
            Err::<(), _>(())
        }
    });
    let mut run = pin!(run);
    assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(held.get(), 0);
    assert!(run.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn dropping_it_starts_no_other_attempt() {
    let attempts = Cell::new(0);
    let run = plain().run(|_| {
        attempts.set(attempts.get() + 1);
        async { Err::<(), _>(()) }
    });
    tokio::select! {
        _ = run => unreachable!("it waits for a second"),
        () = sleep(millis(500)) => {} // sleep-ok: virtual time
    }
    sleep(secs(60)).await; // sleep-ok: virtual time
    assert_eq!(attempts.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn attempt_that_hangs_is_the_attempts_own_business() {
    let retry = plain().within(secs(1));
    let run = retry.run(|_| pending::<Result<(), ()>>());
    assert!(tokio::time::timeout(secs(100), run).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn run_waits_as_delays_says() {
    let retry = Retry::exponential(secs(1)..=secs(10)).retries(6).seed(42);
    let (times, _) = trace(&retry, |_| Err("down"), always).await;
    let mut expected = vec![Duration::ZERO];
    for delay in retry.delays(42) {
        expected.push(expected[expected.len() - 1] + delay);
    }
    for (time, expected) in times.iter().zip(expected) {
        // tokio's timer wakes at the next millisecond, and every delay begins then.
        assert!((time - expected.as_secs_f64()).abs() < 0.007, "{time} {expected:?}");
    }
}

#[test]
fn error_is_the_source_of_giving_up() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let retry = Retry::fixed(Duration::ZERO).retries(0);
    let run = retry.run(|_| async { Err::<(), _>(std::io::Error::other("down")) });
    let gave_up = runtime.block_on(run).unwrap_err();
    assert_eq!(gave_up.source().map(ToString::to_string).as_deref(), Some("down"));
    assert_eq!(gave_up.to_string(), "gave up after 1 attempt in 0.000 s: no attempts are left");
    assert_eq!(gave_up.into_last().to_string(), "down");
}

#[tokio::test(start_paused = true)]
async fn each_retry_is_heard_of_before_its_delay() {
    let begin = Instant::now();
    let mut heard = Vec::new();
    let retry = plain().within(secs(5));
    let run = retry.run(|attempt| async move { Err::<(), _>(attempt.number()) });
    run.on_retry(|error, delay| heard.push((*error, delay, begin.elapsed()))).await.unwrap_err();
    // The third would begin after 7 s, so nobody hears of it.
    assert_eq!(heard, [(1, secs(1), secs(0)), (2, secs(2), secs(1))]);
}
