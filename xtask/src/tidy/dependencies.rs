//! How members name each other, and in what order.

use crate::{
    publish::checks,
    tidy::{
        Findings,
        manifest::{Manifest, entry},
        tree::Tree,
    },
};

/// What a release checks anyway, found before it.
pub(super) fn dev_by_path(tree: &Tree) -> Findings {
    tree.workspace.published().flat_map(checks::dev_dependencies).collect()
}

/// With paths everywhere, a lower requirement would be satisfied by the tree and untested: it would be a lie to users.
pub(super) fn requirement_is_version(tree: &Tree) -> Findings {
    let root = Manifest::parse(tree.text("Cargo.toml").unwrap_or_default());
    let mut findings = Findings::new();
    for member in tree.workspace.published() {
        let expected = format!("version = \"{}\"", member.version);
        match root.value("workspace.dependencies", &member.name) {
            Some(value) if value.contains(&expected) => {}
            Some(_) => findings.push(format!(
                "Cargo.toml: {} is {}, write {expected} in the workspace's table",
                member.name, member.version
            )),
            None => findings.push(format!(
                "Cargo.toml: [workspace.dependencies] lacks {}, add it with {expected}",
                member.name
            )),
        }
    }
    findings
}

/// Sorted within each group; an empty line ends a group.
pub(super) fn sorted(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with("Cargo.toml")) {
        for table in Manifest::parse(&file.text).dependency_tables() {
            let mut last = "";
            for &(line, text) in &table.lines {
                if text.is_empty() {
                    last = "";
                } else if let Some(entry) = entry(text) {
                    if entry.key < last {
                        findings.push(format!(
                            "{}:{line}: {} comes after {last}, sort [{}]",
                            file.path, entry.key, table.header
                        ));
                    }
                    last = entry.key;
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{dev_by_path, requirement_is_version, sorted};
    use crate::{
        tidy::{finds, holds, tree::made_up},
        workspace::{Dependency, Kind},
    };

    #[test]
    fn dev_dependencies_on_members_have_no_version() {
        holds(dev_by_path);
    }

    #[test]
    fn dev_dependency_with_a_version_is_found() {
        let mut tree = made_up(&[("crates/a/Cargo.toml", "")]);
        let dependency = |requirement: &str, kind| Dependency {
            name: "underpin-b".to_owned(),
            requirement: requirement.to_owned(),
            kind,
            path: Some("/tree/crates/b".into()),
        };
        tree.workspace.members[0].dependencies =
            vec![dependency("*", Kind::Dev), dependency("^0.1.0", Kind::Normal)];
        assert!(dev_by_path(&tree).is_empty());
        tree.workspace.members[0].dependencies.push(dependency("^0.1.0", Kind::Dev));
        finds(dev_by_path, &tree, "a dev-dependency on underpin-b with a version");
    }

    #[test]
    fn requirements_on_members_are_their_versions() {
        holds(requirement_is_version);
    }

    #[test]
    fn older_requirement_is_found() {
        let root =
            "[workspace.dependencies]\nunderpin-a = { path = \"crates/a\", version = \"0.0.9\" }\n";
        let tree = made_up(&[("Cargo.toml", root), ("crates/a/Cargo.toml", "")]);
        finds(requirement_is_version, &tree, "underpin-a is 0.1.0");
    }

    #[test]
    fn member_that_is_not_in_the_table_is_found() {
        let tree =
            made_up(&[("Cargo.toml", "[workspace.dependencies]\n"), ("crates/a/Cargo.toml", "")]);
        finds(requirement_is_version, &tree, "lacks underpin-a");
    }

    #[test]
    fn dependencies_are_sorted() {
        holds(sorted);
    }

    #[test]
    fn unsorted_group_is_found_and_the_next_group_starts_anew() {
        let manifest = "[dependencies]\n# z\nb = \"1\"\nc = \"1\"\n\na = \"1\"\n";
        assert!(sorted(&made_up(&[("crates/a/Cargo.toml", manifest)])).is_empty());
        let manifest = "[target.'cfg(unix)'.dev-dependencies]\nb = \"1\"\na = \"1\"\n";
        finds(
            sorted,
            &made_up(&[("crates/a/Cargo.toml", manifest)]),
            "Cargo.toml:3: a comes after b",
        );
    }
}
