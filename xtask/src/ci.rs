//! The only definition of what a change must pass.

mod report;
mod step;
mod tally;

use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use xshell::Shell;

use crate::{
    ci::{
        report::{Outcome, Report, Row},
        step::Log,
    },
    flags,
    workspace::Workspace,
};

/// One step: a command line that anybody can run alone.
struct Step {
    name: &'static str,
    command: &'static str,
    when: When,
}

enum When {
    Always,
    /// Only with `CI=true`, where a missing program is a failure later on.
    UnderCi,
    /// Only where this program is on the path: `ci` needs nothing but the toolchain.
    Installed(&'static str),
}

/// Fast to slow. All steps select the whole workspace with all features, so that each dependency is
/// compiled once for all of them (once to check, once to run); only `features` and the two that
/// publish build crates alone.
#[rustfmt::skip] // It is a table.
const STEPS: &[Step] = &[
    Step { name: "setup", command: "cargo xtask setup", when: When::UnderCi },
    Step { name: "fmt", command: "cargo fmt --all --check", when: When::Always },
    Step { name: "fmt-bench", command: "cargo fmt --all --check --manifest-path bench/Cargo.toml", when: When::Always },
    Step { name: "tidy", command: "cargo xtask tidy", when: When::Always },
    Step { name: "deny", command: "cargo deny --workspace check bans licenses sources", when: When::Installed("cargo-deny") },
    Step { name: "clippy", command: "cargo clippy --workspace --all-targets --all-features -- -D warnings", when: When::Always },
    Step { name: "features", command: "cargo xtask features", when: When::Always },
    Step { name: "test", command: "cargo xtask test --no-doc", when: When::Always },
    Step { name: "doctests", command: "cargo test --workspace --all-features --doc", when: When::Always },
    Step { name: "docs", command: "cargo xtask docs", when: When::Always },
    Step { name: "integration", command: "cargo xtask integration", when: When::Always },
    Step { name: "parity", command: "cargo xtask parity", when: When::Always },
    Step { name: "package", command: "cargo xtask publish --package", when: When::Always },
    Step { name: "rehearse", command: "cargo xtask publish --rehearse --delay 1 --throttle 1", when: When::Always },
];

impl flags::Ci {
    pub(crate) fn run(self, sh: &Shell) -> Result<()> {
        let first = match &self.from {
            None => 0,
            Some(name) => position(name)?,
        };
        let root = Workspace::load(sh)?.root;
        let begun = Instant::now();
        let mut report = Report::default();
        let mut failed = None;
        for (index, step) in STEPS.iter().enumerate() {
            let reason = match &self.from {
                _ if failed.is_some() => Some("an earlier step failed".to_owned()),
                Some(from) if index < first => Some(format!("--from {from}")),
                _ => step.when.reason_to_skip(),
            };
            let log = Log::below(&root, step.name);
            let outcome = match reason {
                Some(reason) => Outcome::NotRun(reason),
                None => step::run(step.name, step.command, &root, &log)?,
            };
            let row = Row { name: step.name, outcome };
            if failed.is_none() {
                println!("{row}");
            }
            if matches!(row.outcome, Outcome::Failed { .. }) {
                failed = Some((step, log));
            }
            report.rows.push(row);
        }
        if let Some((_, log)) = &failed {
            println!("\nThe end of {}:\n\n{}", log.shown(), log.tail());
        }
        println!("\n{report}");
        let word = if failed.is_some() { "failed" } else { "passed" };
        println!("{word} in {} s", begun.elapsed().as_secs());
        println!("\n{}", report.totals());
        match failed {
            None => Ok(()),
            Some((Step { name, command, .. }, _)) => {
                bail!(
                    "`{name}` failed. Run it alone: {command}\n       Go on from it: cargo xtask ci --from {name}"
                )
            }
        }
    }
}

impl When {
    fn reason_to_skip(&self) -> Option<String> {
        match self {
            When::Always => None,
            When::UnderCi => (!testkit::is_ci()).then(|| "only with CI=true".to_owned()),
            When::Installed(program) => testkit::program(program)
                .err()
                .map(|_| format!("{program} is not installed (cargo install {program})")),
        }
    }
}

fn position(name: &str) -> Result<usize> {
    STEPS.iter().position(|step| step.name == name).with_context(|| {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        format!("no step `{name}`; the steps are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::{STEPS, position};
    use crate::flags::Xtask;

    #[test]
    fn unknown_step_lists_the_steps() {
        let message = position("tests").expect_err("it is called `test`").to_string();
        assert!(message.starts_with("no step `tests`; the steps are setup, fmt, "), "{message}");
    }

    #[test]
    fn every_step_is_a_command_that_exists() {
        for step in STEPS {
            // `step::run` splits at white space and nowhere else.
            assert!(!step.command.contains(['"', '\'']), "{}", step.command);
            match step.command.strip_prefix("cargo xtask ") {
                Some(ours) => {
                    let words = ours.split_whitespace().map(Into::into).collect();
                    assert!(Xtask::from_vec(words).is_ok(), "{}", step.command);
                }
                None => assert!(step.command.starts_with("cargo "), "{}", step.command),
            }
        }
    }
}
