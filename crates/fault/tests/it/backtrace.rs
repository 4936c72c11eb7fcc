//! Backtraces of bugs.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    time::Instant,
};

use underpin_fault::{Fault, Kind};

use crate::child;

#[test]
fn a_bug_has_one_where_the_environment_asks_for_it() {
    child::run(&[("RUST_LIB_BACKTRACE", "1")], || {
        let fault = Fault::bug("first");
        assert_eq!(fault.backtrace().map(Backtrace::status), Some(BacktraceStatus::Captured));
        assert!(format!("{fault:?}").contains("a_bug_has_one_where_the_environment_asks_for_it"));
        assert!(Fault::new(Kind::Internal, "not made as a bug").backtrace().is_none());
    });
}

#[test]
fn a_storm_of_bugs_captures_few() {
    child::run(&[("RUST_BACKTRACE", "1")], || {
        let start = Instant::now();
        let captured = (0..100_000).filter(|_| Fault::bug("storm").backtrace().is_some()).count();
        let due = 1 + start.elapsed().as_millis() / 100;
        assert!((1..=due).contains(&(captured as u128)), "{captured} in {:?}", start.elapsed());
    });
}

#[test]
fn otherwise_nothing_is_captured() {
    child::run(&[], || assert!(Fault::bug("quiet").backtrace().is_none()));
}
