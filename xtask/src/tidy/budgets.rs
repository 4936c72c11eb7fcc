//! How many crates a user pulls in. `xtask/budgets.txt` holds the ceiling; raising one is a commit that argues it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

use crate::tidy::{Findings, tree::Tree};

pub(super) const PATH: &str = "xtask/budgets.txt";

/// One line: `underpin-config 6` or `underpin-telemetry[otlp-http] 95`, and a comment.
struct Budget<'a> {
    line: usize,
    /// The package, with its features in brackets.
    selection: &'a str,
    ceiling: Option<usize>,
}

/// Every published crate has a budget and keeps it.
pub(super) fn check(tree: &Tree) -> Findings {
    let budgets = parse(tree.text(PATH).unwrap_or_default());
    let mut findings = Findings::new();
    for Budget { line, selection, ceiling } in &budgets {
        match (ceiling, tree.counts.get(*selection)) {
            (None, _) => findings.push(format!("{PATH}:{line}: no number, write `{selection} N`")),
            (Some(ceiling), Some(count)) if count > ceiling => {
                let (package, _) = split(selection);
                findings.push(format!(
                    "{PATH}:{line}: {selection} has {count} crates and a budget of {ceiling}, see cargo tree -p {package} -e normal,build"
                ));
            }
            (Some(_), Some(_)) => {}
            (Some(_), None) => findings
                .push(format!("{PATH}:{line}: there is no crate {selection}, delete the line")),
        }
    }
    for member in tree.workspace.published() {
        if !budgets.iter().any(|budget| budget.selection == member.name) {
            findings.push(format!("{PATH}: {} has no budget, add a line", member.name));
        }
    }
    findings
}

/// Counts what each line's selection really has: unique crates, itself included, normal and build dependencies, this host.
///
/// A package that is no member is left out.
pub(super) fn counts(sh: &Shell, budgets: &str) -> Result<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    for Budget { selection, .. } in parse(budgets) {
        let (package, features) = split(selection);
        let features = features.map(|features| ["--features", features]).into_iter().flatten();
        let tree = cmd!(
            sh,
            "cargo tree --quiet --package {package} {features...} --edges normal,build --prefix none"
        );
        let output = tree
            .quiet()
            .ignore_status()
            .ignore_stderr()
            .output()
            .context("cannot run cargo tree")?;
        if output.status.success() {
            counts.insert(
                selection.to_owned(),
                unique_crates(&String::from_utf8_lossy(&output.stdout)),
            );
        }
    }
    Ok(counts)
}

/// The number of different crates in the output of `cargo tree --prefix none`, which marks what it has shown before.
pub(crate) fn unique_crates(tree: &str) -> usize {
    let lines =
        tree.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.is_empty());
    lines.collect::<BTreeSet<_>>().len()
}

fn parse(text: &str) -> Vec<Budget<'_>> {
    let lines = (1..).zip(text.lines().map(|line| line.split('#').next().unwrap_or_default()));
    lines
        .filter_map(|(line, text)| {
            let mut words = text.split_whitespace();
            let selection = words.next()?;
            Some(Budget {
                line,
                selection,
                ceiling: words.next().and_then(|number| number.parse().ok()),
            })
        })
        .collect()
}

fn split(selection: &str) -> (&str, Option<&str>) {
    match selection.strip_suffix(']').and_then(|rest| rest.split_once('[')) {
        Some((package, features)) => (package, Some(features)),
        None => (selection, None),
    }
}

#[cfg(test)]
mod tests {
    use super::{check, split, unique_crates};
    use crate::tidy::{
        finds, holds,
        tree::{Tree, made_up},
    };

    fn tree(budgets: &str) -> Tree {
        let mut tree = made_up(&[("xtask/budgets.txt", budgets), ("crates/a/Cargo.toml", "")]);
        tree.counts = [("underpin-a".to_owned(), 6), ("underpin-a[x]".to_owned(), 9)].into();
        tree
    }

    #[test]
    fn budgets_hold() {
        holds(check);
    }

    #[test]
    fn crate_over_its_budget_is_found() {
        assert!(check(&tree("# Comment.\nunderpin-a 6  # exactly\nunderpin-a[x] 10\n")).is_empty());
        finds(
            check,
            &tree("underpin-a 5\n"),
            "budgets.txt:1: underpin-a has 6 crates and a budget of 5",
        );
        finds(check, &tree("underpin-a 6\nunderpin-a[x] 8\n"), "underpin-a[x] has 9 crates");
    }

    #[test]
    fn budget_without_a_crate_and_crate_without_a_budget_are_found() {
        finds(check, &tree("underpin-a 6\nunderpin-b 5\n"), "there is no crate underpin-b");
        finds(check, &tree(""), "underpin-a has no budget");
        finds(check, &tree("underpin-a six\n"), "no number");
    }

    #[test]
    fn crate_that_shows_twice_counts_once() {
        assert_eq!(
            unique_crates("a v1\nb v1\nc v1 (proc-macro)\nb v1\nc v1 (proc-macro) (*)\nb v2\n"),
            4
        );
    }

    #[test]
    fn features_stand_in_brackets() {
        assert_eq!(split("underpin-a[x,y]"), ("underpin-a", Some("x,y")));
        assert_eq!(split("underpin-a"), ("underpin-a", None));
    }
}
