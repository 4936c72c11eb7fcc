//! A test that sleeps is slow on a good day and wrong on a bad one.

use crate::tidy::{
    Findings,
    tree::{File, Tree},
};

const EXCUSE: &str = "// sleep-ok: ";

/// A sleep in a test has its reason on the same line or the one above.
pub(super) fn check(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    for file in tree.rust() {
        let mut above = "";
        for (number, line) in test_lines(file) {
            let excused = [above, line].iter().any(|line| line.contains(EXCUSE));
            if sleeps(line) && !excused {
                findings.push(format!(
                    "{}:{number}: wait for an event, or write {EXCUSE}reason",
                    file.path
                ));
            }
            above = line;
        }
    }
    findings
}

/// All lines of a test, and of other files what follows `#[cfg(test)]`.
fn test_lines(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let is_test = file.is_test();
    file.lines().skip_while(move |(_, line)| !is_test && line.trim() != "#[cfg(test)]")
}

fn sleeps(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    ["sleep(", "sleep_until(", "sleep_ms("].iter().any(|call| code.contains(call))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::{finds, holds, tree::made_up};

    // Spelled in two parts: this file is under the rule it tests.
    const SLEEP: &str = concat!("thread::sl", "eep(SECOND);");

    #[test]
    fn no_test_sleeps_without_a_reason() {
        holds(check);
    }

    #[test]
    fn sleep_in_a_test_is_found() {
        let text = format!(
            "//! Doc.\n{SLEEP}\n// sleep-ok: polls a file\n{SLEEP}\n{SLEEP} // sleep-ok: polls\n// {SLEEP}\n"
        );
        finds(check, &made_up(&[("crates/a/tests/it/a.rs", &text)]), "crates/a/tests/it/a.rs:2");
    }

    #[test]
    fn sleep_in_a_unit_test_is_found_and_one_in_the_library_is_not() {
        let text = format!("{SLEEP}\n#[cfg(test)]\nmod tests {{\n    {SLEEP}\n}}\n");
        finds(check, &made_up(&[("crates/a/src/a.rs", &text)]), "crates/a/src/a.rs:4");
    }
}
