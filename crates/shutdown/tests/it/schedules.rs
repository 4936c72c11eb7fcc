//! Any mixture of work, cleanups and triggers: what must hold whatever happens when.

use std::time::Duration;

use proptest::{collection::vec, prelude::*, test_runner::Config};
use testkit::full_or;
use tokio::time::Instant;
use underpin_shutdown::{CleanupOutcome, Phase, Plan, Reason, Shutdown};

use crate::virtual_time::{Story, pass, run};

#[derive(Debug, Clone)]
struct Schedule {
    plan: Plan,
    trigger_at: Duration,
    /// When each begins, and how long it takes.
    requests: Vec<(Duration, Duration)>,
    cleanups: Vec<Cleanup>,
}

#[derive(Debug, Clone)]
struct Cleanup {
    kind: Kind,
    takes: Duration,
    budget: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Works,
    Fails,
    Panics,
    Registers,
}

fn millis(upto: u64) -> impl Strategy<Value = Duration> {
    (0..upto).prop_map(Duration::from_millis)
}

fn schedules() -> impl Strategy<Value = Schedule> {
    let plan = (millis(3_000), millis(2_000), millis(4_000), millis(10_000)).prop_map(
        |(lame_duck, cancel, cleanup, drain)| {
            // 1.02: the exit takes 1 % of it.
            let budget = (lame_duck + cancel + cleanup + drain).mul_f64(1.02);
            let plan = Plan::new().budget(budget + Duration::from_millis(100));
            plan.lame_duck(lame_duck).cancel_window(cancel).cleanup_reserve(cleanup)
        },
    );
    let kind = prop_oneof![
        Just(Kind::Works),
        Just(Kind::Fails),
        Just(Kind::Panics),
        Just(Kind::Registers)
    ];
    let cleanup = (kind, millis(4_000), proptest::option::of(millis(3_000)))
        .prop_map(|(kind, takes, budget)| Cleanup { kind, takes, budget });
    (plan, millis(5_000), vec((millis(12_000), millis(20_000)), 0..6), vec(cleanup, 0..6)).prop_map(
        |(plan, trigger_at, requests, cleanups)| Schedule { plan, trigger_at, requests, cleanups },
    )
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(full_or(10_000, 1_000)) })]

    #[test]
    fn what_must_hold_holds(schedule in schedules()) {
        run(check(schedule))?;
    }
}

async fn check(schedule: Schedule) -> Result<(), TestCaseError> {
    let shutdown = Shutdown::new(schedule.plan);
    let http = shutdown.tracker("http");
    for (begin, takes) in schedule.requests.clone() {
        let (http, shutdown) = (http.clone(), shutdown.clone());
        tokio::spawn(async move {
            pass(begin).await;
            let phase = shutdown.phase();
            match http.admit() {
                Ok(guard) => {
                    assert!(phase < Phase::Draining, "admitted while {phase}");
                    pass(takes).await;
                    drop(guard);
                }
                Err(_) => assert!(phase >= Phase::Draining, "refused while {phase}"),
            }
        });
    }
    let story = Story::default();
    for (number, cleanup) in schedule.cleanups.iter().cloned().enumerate() {
        let (story, shutdown) = (story.clone(), shutdown.clone());
        let handle = shutdown.clone().defer(format!("{number}"), move |cx| async move {
            assert_eq!(shutdown.phase(), Phase::Cleanup);
            assert!(cx.remaining() <= shutdown.remaining().expect("it has begun"));
            story.tell(number.to_string());
            pass(cleanup.takes).await;
            match cleanup.kind {
                Kind::Works => Ok(()),
                Kind::Fails => Err("failed"),
                Kind::Panics => std::panic::resume_unwind(Box::new("panicked")),
                Kind::Registers => {
                    shutdown.defer(format!("{number}+"), |_| async {});
                    Ok(())
                }
            }
        });
        if let Some(budget) = cleanup.budget {
            let _ = handle.budget(budget);
        }
    }
    let trigger = shutdown.clone();
    tokio::spawn(async move {
        pass(schedule.trigger_at).await;
        trigger.trigger(Reason::Signal(15))
    });
    let begin = Instant::now() + schedule.trigger_at;
    let report = shutdown.clone().complete().await;

    // One line of time: never later than the budget, and the report tells the same as the clock.
    prop_assert!(report.used() <= report.budget(), "{report}");
    prop_assert_eq!(report.used().as_millis(), begin.elapsed().as_millis());
    let sum: Duration = report.phases().iter().map(underpin_shutdown::PhaseReport::used).sum();
    prop_assert!(sum <= report.used() + Duration::from_millis(1), "{report}");
    for cleanup in report.cleanups() {
        // 2 ms: the clock's tick, and 50 ms for one that is cut off.
        prop_assert!(cleanup.used() <= cleanup.budget() + Duration::from_millis(52), "{report}");
    }

    // Every cleanup is accounted for once, the last registered first.
    let order: Vec<usize> =
        report.cleanups().iter().filter_map(|cleanup| cleanup.name().parse().ok()).collect();
    let expected: Vec<usize> = (0..schedule.cleanups.len()).rev().collect();
    prop_assert_eq!(&order, &expected, "{}", report);
    let ran: Vec<String> = report
        .cleanups()
        .iter()
        .filter(|cleanup| !matches!(cleanup.outcome(), CleanupOutcome::Skipped(_)))
        .map(|cleanup| cleanup.name().to_owned())
        .filter(|name| !name.ends_with('+'))
        .collect();
    prop_assert_eq!(story.told(), ran);

    // The exit code tells.
    let left = report.trackers().iter().any(|row| row.cancelled() + row.abandoned() > 0);
    let failed = report.cleanups().iter().any(|cleanup| !cleanup.outcome().is_ok());
    prop_assert_eq!(report.exit_code(), u8::from(left || failed), "{}", report);
    prop_assert_eq!(shutdown.phase(), Phase::Done);
    prop_assert!(http.admit().is_err());
    Ok(())
}
