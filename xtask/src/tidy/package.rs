//! What a published crate consists of.

use crate::tidy::{Findings, tree::Tree};

/// May have a lint table of their own, with a reason beside each difference.
const OWN_LINTS: [&str; 4] = ["underpin-procx", "integration", "testkit", "bench"];

const LICENCES: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];

/// Files and manifest fields that the registry, docs.rs or a reader needs.
pub(super) fn complete(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    for member in tree.workspace.published() {
        let manifest = tree.manifest(member);
        let place = tree.path(member, "Cargo.toml");
        for file in ["README.md", "CHANGELOG.md"] {
            if tree.text(&tree.path(member, file)).is_none() {
                findings.push(format!("{}: missing, write it", tree.path(member, file)));
            }
        }
        for field in ["description", "keywords", "categories", "include"] {
            if manifest.value("package", field).is_none() {
                findings.push(format!("{place}: no {field}, add it to [package]"));
            }
        }
        for field in ["edition.workspace", "license.workspace", "authors.workspace"] {
            if manifest.value("package", field) != Some("true") {
                findings.push(format!("{place}: {field} = true is missing, add it to [package]"));
            }
        }
        if member.keywords.len() > 5 {
            findings
                .push(format!("{place}: {} keywords, the registry takes 5", member.keywords.len()));
        }
    }
    findings
}

/// Crates are versioned one by one; a shared version would publish all of them for a fix in one.
pub(super) fn own_version(tree: &Tree) -> Findings {
    let inherits =
        |member: &&_| tree.manifest(member).value("package", "version.workspace").is_some();
    let members = tree.workspace.published().filter(inherits);
    members
        .map(|member| {
            format!(
                "{}: version.workspace, give it a version of its own",
                tree.path(member, "Cargo.toml")
            )
        })
        .collect()
}

/// Every member inherits the workspace's lints, but for those that say why.
pub(super) fn lints(tree: &Tree) -> Findings {
    let strays = tree.workspace.members.iter().filter(|member| {
        let inherits = tree.manifest(member).value("lints", "workspace") == Some("true");
        !inherits && !OWN_LINTS.contains(&member.name.as_str())
    });
    strays
        .map(|member| format!("{}: add [lints] workspace = true", tree.path(member, "Cargo.toml")))
        .collect()
}

/// A crate's licences are links to the workspace's, so they read the same.
pub(super) fn licences(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    for licence in LICENCES {
        let Some(text) = tree.text(licence) else {
            findings.push(format!("{licence}: missing"));
            continue;
        };
        for member in tree.workspace.published() {
            let path = tree.path(member, licence);
            if tree.text(&path) != Some(text) {
                findings.push(format!(
                    "{path}: not the workspace's, make it a link: ln -s ../../{licence} {path}"
                ));
            }
        }
    }
    if !tree.text("LICENSE-MIT").is_some_and(|text| text.contains("The Underpin contributors")) {
        findings
            .push("LICENSE-MIT: the copyright holder is `The Underpin contributors`".to_owned());
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{complete, licences, lints, own_version};
    use crate::tidy::{finds, holds, tree::made_up};

    const GOOD: &str = "[package]\ndescription = \"x\"\nkeywords = []\ncategories = []\ninclude = []\n\
        edition.workspace = true\nlicense.workspace = true\nauthors.workspace = true\n";
    const MIT: &str = "Copyright The Underpin contributors";

    #[test]
    fn published_crates_are_complete() {
        holds(complete);
    }

    #[test]
    fn missing_field_and_missing_file_are_found() {
        let files = [
            ("crates/a/Cargo.toml", GOOD),
            ("crates/a/README.md", ""),
            ("crates/a/CHANGELOG.md", ""),
        ];
        assert!(complete(&made_up(&files)).is_empty());
        finds(complete, &made_up(&files[..2]), "crates/a/CHANGELOG.md: missing");
        let without = GOOD.replace("include = []\n", "");
        let files = [("crates/a/Cargo.toml", without.as_str()), files[1], files[2]];
        finds(complete, &made_up(&files), "crates/a/Cargo.toml: no include");
    }

    #[test]
    fn sixth_keyword_is_found() {
        let mut tree = made_up(&[
            ("crates/a/Cargo.toml", GOOD),
            ("crates/a/README.md", ""),
            ("crates/a/CHANGELOG.md", ""),
        ]);
        tree.workspace.members[0].keywords = vec!["k".to_owned(); 6];
        finds(complete, &tree, "6 keywords");
    }

    #[test]
    fn published_crates_have_versions_of_their_own() {
        holds(own_version);
    }

    #[test]
    fn shared_version_is_found() {
        let tree = made_up(&[("crates/a/Cargo.toml", "[package]\nversion.workspace = true\n")]);
        finds(own_version, &tree, "crates/a/Cargo.toml: version.workspace");
    }

    #[test]
    fn members_inherit_the_lints() {
        holds(lints);
    }

    #[test]
    fn own_lint_table_is_found() {
        let own = "[lints.rust]\nunsafe_code = \"allow\"\n";
        assert!(lints(&made_up(&[("crates/procx/Cargo.toml", own)])).is_empty());
        finds(lints, &made_up(&[("crates/a/Cargo.toml", own)]), "crates/a/Cargo.toml: add [lints]");
    }

    #[test]
    fn licences_are_the_workspaces() {
        holds(licences);
    }

    #[test]
    fn other_licence_text_is_found() {
        let files = [
            ("LICENSE-MIT", MIT),
            ("LICENSE-APACHE", "A"),
            ("crates/a/LICENSE-MIT", MIT),
            ("crates/a/LICENSE-APACHE", "A"),
        ];
        assert!(licences(&made_up(&files)).is_empty());
        finds(licences, &made_up(&files[..3]), "crates/a/LICENSE-APACHE: not the workspace's");
        let files = [
            ("LICENSE-MIT", "Copyright me"),
            files[1],
            ("crates/a/LICENSE-MIT", "Copyright me"),
            files[3],
        ];
        finds(licences, &made_up(&files), "The Underpin contributors");
    }
}
