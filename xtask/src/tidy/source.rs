//! How a Rust file looks from outside.

use crate::tidy::{Findings, tree::Tree};

const LONGEST: usize = 600;
/// Longer files, each with the reason.
const LONG: [(&str, &str); 0] = [];

/// The first line is a sentence about the module; a published crate's root includes its README instead.
pub(super) fn module_docs(tree: &Tree) -> Findings {
    let modules = tree.rust().filter(|file| {
        let is_fixture = file.is_test() && !file.path.contains("/tests/it/");
        let includes = |line: &str| line.starts_with("#![") && line.contains("doc = include_str!(");
        let documented = file.text.starts_with("//!") || file.text.lines().any(includes);
        !is_fixture && !documented
    });
    modules.map(|file| format!("{}:1: begin with `//!` and a sentence", file.path)).collect()
}

/// `foo.rs` beside `foo/`; a `mod.rs` is one of many of that name in an editor.
pub(super) fn no_mod_rs(tree: &Tree) -> Findings {
    let modules = tree.rust().filter(|file| {
        file.path.ends_with("/mod.rs") && !file.path.ends_with("tests/common/mod.rs")
    });
    modules.map(|file| format!("{}: name it after its folder, beside it", file.path)).collect()
}

/// A file is one concept; one that is longer is two, or says why not.
pub(super) fn length(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    for file in tree.rust() {
        let lines = file.text.lines().count();
        if lines > LONGEST && !LONG.iter().any(|(path, _)| *path == file.path) {
            findings.push(format!("{}: {lines} lines, split it below {LONGEST}", file.path));
        }
    }
    for (path, _) in LONG {
        if tree.text(path).is_none_or(|text| text.lines().count() <= LONGEST) {
            findings.push(format!("{path}: no longer above {LONGEST} lines, delete the exception"));
        }
    }
    findings
}

/// An expectation that is no longer met is reported by the compiler; an allowance stays for ever.
pub(super) fn expect_not_allow(tree: &Tree) -> Findings {
    /// For generated code, where an expectation would be unfulfilled in most places.
    const EXCUSE: &str = "// allow-ok: ";
    let mut findings = Findings::new();
    for file in tree.rust() {
        let mut above = "";
        for (number, line) in file.lines() {
            let allows = ["#[allow(", "#![allow("]
                .iter()
                .any(|attribute| line.trim_start().starts_with(attribute));
            if allows && !above.contains(EXCUSE) {
                findings.push(format!(
                    "{}:{number}: write #[expect(lint, reason = \"...\")], or {EXCUSE}reason above it",
                    file.path
                ));
            }
            above = line;
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, expect_not_allow, length, module_docs, no_mod_rs};
    use crate::tidy::{finds, holds, tree::made_up};

    #[test]
    fn modules_say_what_they_are_for() {
        holds(module_docs);
    }

    #[test]
    fn module_without_a_sentence_is_found() {
        let tree = made_up(&[
            (
                "crates/a/src/lib.rs",
                "#![cfg_attr(docsrs, feature(doc_cfg))]\n#![doc = include_str!(\"../README.md\")]\n",
            ),
            ("crates/a/src/a.rs", "//! One.\n"),
            ("crates/a/tests/ui/fails.rs", "fn main() {}\n"),
            ("crates/a/src/b.rs", "use std::fmt;\n//! Late.\n"),
        ]);
        finds(module_docs, &tree, "crates/a/src/b.rs:1");
    }

    #[test]
    fn no_module_file_is_called_mod_rs() {
        holds(no_mod_rs);
    }

    #[test]
    fn mod_rs_is_found() {
        let tree = made_up(&[("crates/a/tests/common/mod.rs", ""), ("crates/a/src/b/mod.rs", "")]);
        finds(no_mod_rs, &tree, "crates/a/src/b/mod.rs");
    }

    #[test]
    fn files_are_short() {
        holds(length);
    }

    #[test]
    fn long_file_is_found() {
        let fits = "\n".repeat(LONGEST);
        let long = "\n".repeat(LONGEST + 1);
        let tree = made_up(&[
            ("crates/a/src/a.rs", &fits),
            ("crates/a/src/b.rs", &long),
            ("docs/long.md", &long),
        ]);
        finds(length, &tree, "crates/a/src/b.rs: 601 lines");
    }

    #[test]
    fn lints_are_expected() {
        holds(expect_not_allow);
    }

    #[test]
    fn allowed_lint_is_found() {
        let text = "    #[allow(dead_code)]\n// A sentence about #[allow(x)].\n#[expect(dead_code, reason = \"x\")]\n";
        finds(expect_not_allow, &made_up(&[("crates/a/src/a.rs", text)]), "crates/a/src/a.rs:1");
        let text = "    // allow-ok: generated\n    #[allow(dead_code)]\n";
        assert!(expect_not_allow(&made_up(&[("crates/a/src/a.rs", text)])).is_empty());
    }
}
