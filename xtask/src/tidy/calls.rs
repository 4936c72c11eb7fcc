//! Calls that one of our crates exists to replace.

use crate::tidy::{
    Findings,
    tree::{File, Tree},
};

/// The call and what to do instead.
const BANNED: [(&str, &str); 8] = [
    ("reqwest::get(", "it has no deadline: use a client of underpin-httpx"),
    ("Client::execute(", "it has no retries and no breaker: use a client of underpin-httpx"),
    ("Command::new(\"sh\")", "arguments are not shell words: start the program itself"),
    ("Command::new(\"/bin/sh\")", "arguments are not shell words: start the program itself"),
    ("Command::new(\"bash\")", "arguments are not shell words: start the program itself"),
    ("Command::new(\"cmd\")", "arguments are not shell words: start the program itself"),
    ("cmd(\"sh\")", "arguments are not shell words: start the program itself"),
    ("cmd(\"bash\")", "arguments are not shell words: start the program itself"),
];

/// In what we publish and in the reference service; a test may need the bad thing to test the good one.
pub(super) fn check(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    let sources = tree.rust().filter(|file| is_bound(file));
    for file in sources {
        for (number, line) in file.lines() {
            for (_, cure) in BANNED.iter().filter(|(call, _)| line.contains(call)) {
                findings.push(format!("{}:{number}: {cure}", file.path));
            }
        }
    }
    findings
}

fn is_bound(file: &File) -> bool {
    let ours = ["crates/", "examples/"].iter().any(|folder| file.path.starts_with(folder));
    ours && !file.is_test() && !file.path.starts_with("crates/testkit/")
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::{finds, holds, tree::made_up};

    #[test]
    fn nothing_calls_what_our_crates_replace() {
        holds(check);
    }

    #[test]
    fn shell_is_found() {
        let text = "Command::new(\"sh\").arg(\"-c\")";
        let tree = made_up(&[
            ("crates/a/src/a.rs", text),
            ("crates/a/tests/it/a.rs", text),
            ("crates/testkit/src/a.rs", text),
            ("xtask/src/a.rs", text),
        ]);
        finds(check, &tree, "crates/a/src/a.rs:1: arguments are not shell words");
    }

    #[test]
    fn shell_of_our_own_crate_is_found() {
        let text = "procx::cmd(\"sh\").args([\"-c\", line])";
        finds(check, &made_up(&[("examples/orders/src/a.rs", text)]), "arguments are not shell");
    }

    #[test]
    fn bare_request_is_found() {
        finds(
            check,
            &made_up(&[("examples/orders/src/a.rs", "reqwest::get(url).await")]),
            "it has no deadline",
        );
    }
}
