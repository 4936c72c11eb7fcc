//! `cargo xtask tidy`: the house rules that no compiler checks.
//!
//! A rule is a function from the tree to what it found. Each is also a `#[test]` on the real tree, beside tests that see it fail.

mod budgets;
mod calls;
mod changelog;
mod dependencies;
mod kubernetes;
mod layers;
mod linked;
mod manifest;
mod package;
mod prose;
mod readme;
mod sleeps;
mod source;
mod tree;

use anyhow::{Result, bail};
use xshell::Shell;

pub(crate) use crate::tidy::budgets::unique_crates;
use crate::tidy::tree::Tree;

/// What a rule found: `place: what is wrong, what to do`.
type Findings = Vec<String>;

type Check = fn(&Tree) -> Findings;

/// Each with what it claims.
const RULES: &[(&str, Check)] = &[
    ("a dev-dependency on a member is a path without a version", dependencies::dev_by_path),
    ("the requirement on a member is the member's version", dependencies::requirement_is_version),
    ("dependencies are sorted", dependencies::sorted),
    ("a published crate has its files and fields", package::complete),
    ("a published crate has a version of its own", package::own_version),
    ("members inherit the lints", package::lints),
    ("the licences are the workspace's", package::licences),
    ("the changelog has the current version once", changelog::check),
    ("a README begins with the manifest's description", readme::first_sentence),
    ("the root README lists every crate", readme::root_table),
    ("the root README has the numbers of a build", readme::root_numbers),
    ("dependencies go down the layers", layers::check),
    ("dependency budgets hold", budgets::check),
    ("linked crates build with our Rust version", linked::rust_version),
    ("only underpin-telemetry links OpenTelemetry", linked::opentelemetry),
    ("every module says what it is for", source::module_docs),
    ("no module file is called mod.rs", source::no_mod_rs),
    ("files are short", source::length),
    ("lints are expected, not allowed", source::expect_not_allow),
    ("no test sleeps without a reason", sleeps::check),
    ("no call that one of our crates replaces", calls::check),
    ("a stop on Kubernetes is over before the kill", kubernetes::check),
    ("no path of somebody's machine", prose::check),
];

pub(crate) fn run(sh: &Shell) -> Result<()> {
    let tree = Tree::load(sh)?;
    let mut count = 0;
    for (claim, check) in RULES {
        let findings = check(&tree);
        if !findings.is_empty() {
            println!("{claim}:");
        }
        for finding in &findings {
            println!("  {finding}");
        }
        count += findings.len();
    }
    match count {
        0 => {
            println!("{} rules hold over {} files", RULES.len(), tree.files.len());
            Ok(())
        }
        1 => bail!("1 finding"),
        _ => bail!("{count} findings"),
    }
}

/// Runs a rule on the tree that this test was built from.
#[cfg(test)]
#[track_caller]
fn holds(check: Check) {
    let findings = check(tree::real());
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

/// Asserts that a rule finds exactly one thing, and what.
#[cfg(test)]
#[track_caller]
fn finds(check: Check, tree: &Tree, part: &str) {
    let findings = check(tree);
    assert!(
        findings.len() == 1 && findings[0].contains(part),
        "expected one finding with {part:?}: {findings:#?}"
    );
}
