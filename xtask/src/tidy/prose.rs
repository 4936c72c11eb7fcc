//! What must not be in any text.

use crate::tidy::{Findings, tree::Tree};

// Spelled in two parts: this file is under the rule too.
const HOMES: [&str; 3] = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// A path below somebody's home folder means nothing anywhere else.
pub(super) fn check(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    for file in &tree.files {
        for (number, line) in file.lines() {
            if let Some(home) = HOMES.iter().find(|home| line.contains(**home)) {
                findings.push(format!(
                    "{}:{number}: {home} is a path of one machine, write a relative one",
                    file.path
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{HOMES, check};
    use crate::tidy::{finds, holds, tree::made_up};

    #[test]
    fn no_text_names_a_home_folder() {
        holds(check);
    }

    #[test]
    fn home_folder_is_found() {
        let text = format!("See\n{}me/notes.txt.\n", HOMES[1]);
        finds(check, &made_up(&[("docs/a.md", &text)]), "docs/a.md:2");
    }
}
