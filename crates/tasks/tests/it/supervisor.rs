//! What starts again, in which order things stop, and when a supervisor gives up.

use std::{
    convert::Infallible,
    error::Error as _,
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
    task::yield_now,
    time::{Instant, sleep},
};
use underpin_tasks::{ChildEvent, Failure, Restart, Stop, Strategy, Supervisor};

type Log = Arc<Mutex<Vec<String>>>;

/// Three children, of which `b` fails once; what happened until all were stopped.
async fn story(strategy: Strategy, restart_of_c: Restart) -> String {
    let (log, supervisor) = logged(Supervisor::new(strategy));
    let starts = AtomicU32::new(0);
    let fail = Arc::new(Notify::new());
    let settled = Arc::clone(&fail);
    let run = supervisor
        .child("a", Restart::Permanent, obedient)
        .child("b", Restart::Permanent, move |stop| {
            let first = starts.fetch_add(1, Ordering::SeqCst) == 0;
            let fail = Arc::clone(&fail);
            async move {
                if first {
                    fail.notified().await;
                    return Err("lost");
                }
                stop.await;
                Ok(())
            }
        })
        .child("c", restart_of_c, obedient)
        .run(async move {
            settled.notify_one();
            sleep(Duration::from_secs(60)).await; // sleep-ok: time is paused, so it lasts until all is quiet
        });
    run.await.expect("nothing is broken");
    log.lock().expect("no panic").join(" ")
}

#[tokio::test(start_paused = true)]
async fn one_for_one_restarts_that_one() {
    let story = story(Strategy::OneForOne, Restart::Permanent).await;
    assert_eq!(story, "+a +b +c -b:lost +b -c -b -a");
}

#[tokio::test(start_paused = true)]
async fn one_for_all_restarts_all_in_order() {
    let story = story(Strategy::OneForAll, Restart::Permanent).await;
    assert_eq!(story, "+a +b +c -b:lost -c -a +a +b +c -c -b -a");
}

#[tokio::test(start_paused = true)]
async fn rest_for_one_restarts_that_one_and_those_after_it() {
    let story = story(Strategy::RestForOne, Restart::Permanent).await;
    assert_eq!(story, "+a +b +c -b:lost -c +b +c -c -b -a");
}

#[tokio::test(start_paused = true)]
async fn a_temporary_child_is_not_started_again_with_the_others() {
    let story = story(Strategy::OneForAll, Restart::Temporary).await;
    assert_eq!(story, "+a +b +c -b:lost -c -a +a +b -b -a");
}

#[tokio::test(start_paused = true)]
async fn a_transient_child_may_end_but_not_fail() {
    let (log, supervisor) = logged(Supervisor::new(Strategy::OneForOne));
    let mut starts = 0;
    supervisor
        .child("t", Restart::Transient, move |_| {
            starts += 1;
            async move {
                assert!(starts != 2, "second");
                if starts == 1 { Err("first") } else { Ok(()) }
            }
        })
        .child("once", Restart::Temporary, async |_| Err("whatever"))
        .run(pending::<()>())
        .await
        .expect("all have ended");
    let log = log.lock().expect("no panic");
    let (once, transient): (Vec<&str>, Vec<_>) =
        log.iter().map(String::as_str).partition(|line| line.contains("once"));
    assert_eq!(transient, ["+t", "-t:first", "+t", "-t:panicked: second", "+t", "-t"]);
    assert_eq!(once, ["+once", "-once:whatever"]);
}

#[tokio::test(start_paused = true)]
async fn one_restart_too_many_stops_all_and_names_the_child() {
    let (log, supervisor) = logged(Supervisor::new(Strategy::OneForOne));
    let broken = supervisor
        .intensity(2, Duration::from_secs(10))
        .child("steady", Restart::Permanent, obedient)
        .child("flaky", Restart::Permanent, async |_| Err("lost"))
        .run(pending::<()>())
        .await
        .unwrap_err();
    assert_eq!(broken.child(), Some("flaky"));
    assert!(matches!(broken.failure(), Some(Failure::Error(_))));
    assert_eq!(broken.to_string(), "child flaky ended too often");
    assert_eq!(broken.source().map(ToString::to_string).as_deref(), Some("lost"));
    let log = log.lock().expect("no panic").join(" ");
    assert_eq!(log, "+steady +flaky -flaky:lost +flaky -flaky:lost +flaky -flaky:lost -steady");
}

#[tokio::test(start_paused = true)]
async fn restarts_far_apart_are_never_too_many() {
    let mut left = 50;
    Supervisor::new(Strategy::OneForOne)
        .intensity(1, Duration::from_secs(10))
        .child("slow", Restart::Transient, move |_| {
            left -= 1;
            async move {
                sleep(Duration::from_secs(10)).await; // sleep-ok: time is paused, and the length is what is tested
                if left > 0 { Err("again") } else { Ok(()) }
            }
        })
        .run(pending::<()>())
        .await
        .expect("one in ten seconds is allowed");
}

/// A supervisor is a child like any other: what it gives up on is its parent's failure to handle.
#[tokio::test(start_paused = true)]
async fn giving_up_escalates_to_the_parent() {
    let broken = Supervisor::new(Strategy::OneForOne)
        .intensity(1, Duration::from_secs(60))
        .child("group", Restart::Permanent, |stop| {
            Supervisor::new(Strategy::OneForOne)
                .intensity(0, Duration::from_secs(1))
                .child("member", Restart::Permanent, async |_| Err("lost"))
                .run(stop)
        })
        .run(pending::<()>())
        .await
        .unwrap_err();
    assert_eq!(broken.child(), Some("group"));
    assert_eq!(broken.source().expect("a cause").to_string(), "child member ended too often");
}

#[tokio::test(start_paused = true)]
async fn each_child_has_its_own_time_to_stop_and_is_then_aborted() {
    let (log, supervisor) = logged(Supervisor::new(Strategy::OneForOne));
    let started = Instant::now();
    supervisor
        .stop_within(Duration::from_secs(2))
        .child("deaf", Restart::Permanent, async |_| pending::<Result<(), Infallible>>().await)
        .stop_within(Duration::from_secs(7))
        .child("deafer", Restart::Permanent, async |_| pending::<Result<(), Infallible>>().await)
        .run(yield_now())
        .await
        .expect("aborted is stopped");
    assert_eq!(*log.lock().expect("no panic"), ["+deaf", "+deafer", "!deafer", "!deaf"]);
    let took = started.elapsed();
    assert!((9..10).contains(&took.as_secs()), "{took:?}");
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_blocks_is_reported_as_leaked() {
    let (log, supervisor) = logged(Supervisor::new(Strategy::OneForOne));
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let (entered, inside) = oneshot::channel();
    let mut parts = Some((blocked, entered));
    let broken = supervisor
        .stop_within(Duration::from_millis(1))
        .child("blocks", Restart::Permanent, move |_| {
            let (blocked, entered) = parts.take().expect("it is started once");
            async move {
                let _ = entered.send(());
                let _ = blocked.recv();
                Ok::<_, Infallible>(())
            }
        })
        .run(inside)
        .await
        .unwrap_err();
    drop(release);
    assert_eq!(broken.leaked().collect::<Vec<_>>(), ["blocks"]);
    assert_eq!(broken.to_string(), "left behind because they block: blocks");
    assert_eq!(*log.lock().expect("no panic"), ["+blocks", "?blocks"]);
}

#[tokio::test]
async fn dropping_the_run_aborts_the_children() {
    let (alive, ended) = oneshot::channel::<()>();
    let mut alive = Some(alive);
    let mut run = Box::pin(
        Supervisor::new(Strategy::OneForOne)
            .child("for ever", Restart::Permanent, move |_stop| {
                let alive = alive.take();
                async move {
                    let _alive = alive;
                    pending::<Result<(), Infallible>>().await
                }
            })
            .run(pending::<()>()),
    );
    tokio::select! {
        biased;
        _ = &mut run => panic!("it has ended"),
        () = yield_now() => drop(run),
    }
    assert!(ended.await.is_err());
}

async fn obedient(stop: Stop) -> Result<(), Infallible> {
    stop.await;
    Ok(())
}

/// Starts as `+name`, ends as `-name:failure`, aborted as `!name`, leaked as `?name`.
fn logged(supervisor: Supervisor) -> (Log, Supervisor) {
    let log = Log::default();
    let written = Arc::clone(&log);
    let supervisor = supervisor.on_event(move |event| {
        let line = match event {
            ChildEvent::Started { child } => format!("+{child}"),
            ChildEvent::Ended { child, result: Ok(()) } => format!("-{child}"),
            ChildEvent::Ended { child, result: Err(failure) } => format!("-{child}:{failure}"),
            ChildEvent::Aborted { child } => format!("!{child}"),
            ChildEvent::Leaked { child } => format!("?{child}"),
            other => format!("{other:?}"),
        };
        written.lock().expect("no panic").push(line);
    });
    (log, supervisor)
}
