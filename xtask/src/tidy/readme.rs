//! Pages that must agree with the manifests.

use std::collections::BTreeSet;

use crate::{
    markdown::{Row, plain, tables},
    tidy::{Findings, tree::Tree},
    workspace::Member,
};

const ROOT_HEADER: [&str; 4] = ["crate", "what it guarantees", "dependencies", "one line of use"];

/// The first paragraph after the title begins with the manifest's description, so the registry and the page say the same.
pub(super) fn first_sentence(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    for member in tree.workspace.published() {
        let path = tree.path(member, "README.md");
        let paragraph = first_paragraph(tree.text(&path).unwrap_or_default());
        if member.description.is_empty() || !paragraph.starts_with(&member.description) {
            findings.push(format!(
                "{path}: does not begin with the manifest's description: {}",
                member.description
            ));
        }
    }
    findings
}

/// The root README lists every published crate but the derives, each with its description.
pub(super) fn root_table(tree: &Tree) -> Findings {
    let Some(rows) = root_rows(tree) else {
        return vec![format!(
            "README.md: no table with the header | {} |",
            ROOT_HEADER.join(" | ")
        )];
    };
    let mut findings = Findings::new();
    let mut listed = BTreeSet::new();
    for row in &rows {
        let name = plain(row.cell(0));
        let Ok(member) = tree.workspace.find(&name) else {
            findings.push(format!(
                "README.md:{}: there is no crate {name}, list what exists",
                row.line
            ));
            continue;
        };
        listed.insert(member.name.as_str());
        let description = &member.description;
        if !row.cell(1).starts_with(description) {
            findings.push(format!(
                "README.md:{}: begin with {name}'s description: {description}",
                row.line
            ));
        }
    }
    for Member { name, .. } in tree.workspace.published() {
        if !name.ends_with("-derive") && !listed.contains(name.as_str()) {
            findings.push(format!("README.md: {name} is not in the table, add a row"));
        }
    }
    findings
}

/// The number in the third column is the number of crates that a build gets, the crate itself included.
pub(super) fn root_numbers(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    for row in root_rows(tree).unwrap_or_default() {
        let member = tree.workspace.find(&plain(row.cell(0)));
        let Some(count) = member.ok().and_then(|member| tree.counts.get(&member.name)) else {
            continue;
        };
        let written = row.cell(2).split_whitespace().next().and_then(|number| number.parse().ok());
        if written != Some(*count) {
            findings
                .push(format!("README.md:{}: write {count}, the crate itself included", row.line));
        }
    }
    findings
}

fn root_rows(tree: &Tree) -> Option<Vec<Row>> {
    let tables = tables(tree.text("README.md")?);
    Some(tables.into_iter().find(|table| table.has_header(&ROOT_HEADER))?.rows)
}

/// The first paragraph after the title, on one line. Badges are not a paragraph.
fn first_paragraph(page: &str) -> String {
    let mut lines = page
        .lines()
        .skip_while(|line| !line.starts_with("# "))
        .skip(1)
        .skip_while(|line| line.is_empty());
    lines.by_ref().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{ROOT_HEADER, first_sentence, root_numbers, root_table};
    use crate::tidy::{
        finds, holds,
        tree::{Tree, made_up},
    };

    #[test]
    fn readmes_begin_with_the_descriptions() {
        holds(first_sentence);
    }

    #[test]
    fn other_first_sentence_is_found() {
        let page = |text| made_up(&[("crates/a/README.md", text)]);
        assert!(
            first_sentence(&page("# a\n\nOne thing,\nwell done. And more.\n\nText.\n")).is_empty()
        );
        finds(
            first_sentence,
            &page("# a\n\nAnother thing.\n\nOne thing, well done.\n"),
            "does not begin with",
        );
    }

    fn root(rows: &str) -> Tree {
        let page = format!("| {} |\n|---|---|---|---|\n{rows}", ROOT_HEADER.join(" | "));
        made_up(&[
            ("README.md", &page),
            ("crates/a/README.md", ""),
            ("crates/a-derive/README.md", ""),
        ])
    }

    #[test]
    fn root_table_lists_every_crate() {
        holds(root_table);
    }

    #[test]
    fn crate_that_the_root_table_lacks_or_makes_up_is_found() {
        let row = "| [`underpin-a`](crates/a) | One thing, well done. | 1 | `a()` |\n";
        assert!(root_table(&root(row)).is_empty());
        finds(root_table, &root(""), "underpin-a is not in the table");
        finds(root_table, &root(&format!("{row}| `b` | x | 1 | x |\n")), "there is no crate b");
        finds(root_table, &root("| a | Something. | 1 | `a()` |\n"), "begin with a's description");
        finds(root_table, &made_up(&[]), "no table");
    }

    #[test]
    fn root_table_has_the_numbers_of_a_build() {
        holds(root_numbers);
    }

    #[test]
    fn other_number_of_crates_is_found() {
        let mut tree = root("| a | One thing, well done. | 6 (with the derive) | `a()` |\n");
        tree.counts.insert("underpin-a".to_owned(), 6);
        assert!(root_numbers(&tree).is_empty());
        tree.counts.insert("underpin-a".to_owned(), 7);
        finds(root_numbers, &tree, "README.md:3: write 7");
    }
}
