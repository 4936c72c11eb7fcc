//! Plans that can be kept, and those that cannot.

use std::time::Duration;

use underpin_shutdown::{Plan, Shutdown};

use crate::virtual_time::secs;

fn mistake(plan: Plan) -> String {
    plan.validate().expect_err("it cannot be kept").to_string()
}

#[test]
fn presets_can_be_kept() {
    for plan in [Plan::new(), Plan::kubernetes(), Plan::default(), Plan::detect()] {
        assert_eq!(plan.validate(), Ok(()), "{plan:?}");
    }
}

#[test]
fn slices_longer_than_the_budget_are_refused() {
    assert_eq!(
        mistake(Plan::new().budget(secs(2))),
        "lame duck, cancel window, cleanup reserve and exit take 6.02s together, more than the budget of 2s: \
         shorten them or raise the budget"
    );
    assert_eq!(Plan::new().budget(secs(7)).validate(), Ok(()));
    mistake(Plan::new().lame_duck(Duration::MAX));
}

#[test]
fn budget_longer_than_the_grace_is_refused() {
    assert_eq!(
        mistake(Plan::new().budget(secs(30)).grace(secs(30))),
        "the preStop sleep, the budget and 1s for the exit take 31s together, more than the grace of 30s: \
         lower the budget or raise the grace period"
    );
}

#[test]
fn sleep_before_the_signal_counts_in_the_grace() {
    let slept = Plan::kubernetes().pre_stop_slept(secs(5));
    assert!(mistake(slept).contains("31s together"));
    assert_eq!(slept.grace(secs(35)).validate(), Ok(()));
}

#[test]
fn sleep_longer_than_the_grace_is_refused() {
    let message = mistake(Plan::kubernetes().pre_stop_slept(secs(60)));
    assert!(message.contains("take 86s together, more than the grace of 30s"), "{message}");
}

#[test]
fn sleep_before_the_signal_leaves_a_second_of_lame_duck() {
    let slept = Plan::kubernetes().pre_stop_slept(secs(5));
    assert_eq!(slept, slept.lame_duck(secs(1)));
    let short = Plan::new().pre_stop_slept(secs(5));
    assert_eq!(short, short.lame_duck(Duration::ZERO));
}

#[test]
fn absurd_budget_is_refused() {
    assert_eq!(
        mistake(Plan::new().budget(secs(1 << 40))),
        "a budget of 1099511627776s is more than a day: write a shorter one"
    );
}

#[test]
#[should_panic(expected = "raise the budget")]
fn shutdown_refuses_a_plan_that_cannot_be_kept() {
    let _ = Shutdown::new(Plan::new().budget(secs(1)));
}
