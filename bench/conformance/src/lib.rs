//! The same cases against circuit breakers and rate limiters of different crates: see the README beside this.

use std::process::ExitCode;

mod bounded;
mod breakers;
mod limiters;
mod report;
mod verdict;
mod versions;

/// Runs the suites and prints their tables: those that `wanted` names, or the cases whose names contain it; all if it is empty.
///
/// The code says failure if a cell of one of our crates fails.
pub fn run(wanted: &str) -> ExitCode {
    let mut ours_hold = true;
    if let Some(suite) = breakers::suite(wanted) {
        ours_hold &= report::print(suite);
    }
    if let Some(suite) = limiters::suite(wanted) {
        ours_hold &= report::print(suite);
    }
    if ours_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
