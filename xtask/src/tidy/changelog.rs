//! A changelog is written by hand, for users, newest first.

use crate::{
    publish::checks,
    tidy::{Findings, tree::Tree},
};

/// `## [Unreleased]` on top, and exactly one heading for the current version.
pub(super) fn check(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    for member in tree.workspace.published() {
        let path = tree.path(member, "CHANGELOG.md");
        let text = tree.text(&path).unwrap_or_default();
        let first = text.lines().find_map(|line| line.strip_prefix("## "));
        if first != Some("[Unreleased]") {
            findings
                .push(format!("{path}: the first heading is not ## [Unreleased], put it on top"));
        }
        findings.extend(checks::changelog(&path, text, &member.version));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::{finds, holds, tree::made_up};

    #[test]
    fn changelogs_have_the_current_version_once() {
        holds(check);
    }

    #[test]
    fn missing_and_repeated_headings_are_found() {
        let tree = |text| made_up(&[("crates/a/CHANGELOG.md", text)]);
        assert!(
            check(&tree("# Changelog\n\n## [Unreleased]\n\n## 0.1.0 - 2026-11-24\n")).is_empty()
        );
        finds(check, &tree("## [Unreleased]\n## 0.0.9 - 2026-11-24\n"), "has no entry for 0.1.0");
        finds(
            check,
            &tree("## [Unreleased]\n## 0.1.0 - 2026-11-24\n## 0.1.0 - 2026-11-23\n"),
            "has 2 headings for 0.1.0",
        );
        finds(check, &tree("## 0.1.0 - 2026-11-24\n"), "not ## [Unreleased]");
    }
}
