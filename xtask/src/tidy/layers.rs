//! The layer table in ARCHITECTURE.md: a crate depends on crates of lower rows only.

use std::collections::BTreeMap;

use crate::{
    markdown::{plain, tables},
    tidy::{Findings, tree::Tree},
    workspace::Kind,
};

const PAGE: &str = "ARCHITECTURE.md";

/// Tests may reach sideways; what is built may not.
pub(super) fn check(tree: &Tree) -> Findings {
    let text = tree.text(PAGE).unwrap_or_default();
    let Some(table) = tables(text).into_iter().find(|table| table.has_header(&["layer", "crates"]))
    else {
        return vec![format!("{PAGE}: no table with the header | layer | crates |")];
    };
    let mut findings = Findings::new();
    let mut layers = BTreeMap::new();
    for (depth, row) in table.rows.iter().enumerate() {
        for name in row.cell(1).split(',').map(|name| plain(name.trim())) {
            match tree.workspace.find(&name) {
                Ok(member) if layers.insert(member.name.as_str(), depth).is_some() => {
                    findings.push(format!("{PAGE}:{}: {name} is in two layers", row.line));
                }
                Ok(_) => {}
                Err(_) => findings.push(format!(
                    "{PAGE}:{}: there is no crate {name}, list what exists",
                    row.line
                )),
            }
        }
    }
    for member in &tree.workspace.members {
        let Some(above) = layers.get(member.name.as_str()) else {
            findings.push(format!("{PAGE}: {} is in no layer, add it to a row", member.name));
            continue;
        };
        let built = member.dependencies.iter().filter(|dependency| dependency.kind != Kind::Dev);
        for dependency in built {
            if layers.get(dependency.name.as_str()).is_some_and(|below| below <= above) {
                findings.push(format!(
                    "{}: {} is not in a lower layer, see {PAGE}",
                    tree.path(member, "Cargo.toml"),
                    dependency.name
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::{
        tidy::{
            finds, holds,
            tree::{Tree, made_up},
        },
        workspace::{Dependency, Kind},
    };

    fn tree(rows: &str) -> Tree {
        let page = format!("| layer | crates |\n|---|---|\n{rows}");
        let mut tree = made_up(&[
            ("ARCHITECTURE.md", &page),
            ("crates/a/Cargo.toml", ""),
            ("crates/b/Cargo.toml", ""),
        ]);
        tree.workspace.members[0].dependencies.push(Dependency {
            name: "underpin-b".to_owned(),
            requirement: "^0.1.0".to_owned(),
            kind: Kind::Normal,
            path: None,
        });
        tree
    }

    #[test]
    fn dependencies_go_down() {
        holds(check);
    }

    #[test]
    fn dependency_up_or_sideways_is_found() {
        assert!(check(&tree("| top | `a` |\n| leaves | b |\n")).is_empty());
        finds(
            check,
            &tree("| top | b |\n| leaves | a |\n"),
            "crates/a/Cargo.toml: underpin-b is not in a lower layer",
        );
        finds(
            check,
            &tree("| all | a, b |\n"),
            "crates/a/Cargo.toml: underpin-b is not in a lower layer",
        );
    }

    #[test]
    fn table_that_differs_from_the_members_is_found() {
        finds(check, &tree("| top | a |\n"), "underpin-b is in no layer");
        finds(check, &tree("| top | a |\n| leaves | b, c |\n"), "there is no crate c");
        finds(check, &tree("| top | a |\n| leaves | b |\n| more | b |\n"), "b is in two layers");
        finds(check, &made_up(&[]), "no table");
    }
}
