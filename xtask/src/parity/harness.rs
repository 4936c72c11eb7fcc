//! Reads what the test harness prints.

use std::collections::BTreeSet;

use crate::parity::suite::Verdict;

/// What the test harness printed.
pub(super) struct Output {
    pub(super) success: bool,
    pub(super) text: String,
}

/// Reads `--list --format terse`.
pub(super) fn listed(output: &str) -> BTreeSet<String> {
    output.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// Reads the number in `test result: ok. 3 passed; ...`.
pub(super) fn passed(line: &str) -> Option<u64> {
    line.strip_prefix("test result: ok. ")?.split_once(" passed")?.0.parse().ok()
}

/// Finds what became of one test.
pub(super) fn verdict(output: &Output, package: &str, path: &str) -> Verdict {
    let skip = format!("skipped: {path}: ");
    if let Some((_, reason)) = output.text.lines().find_map(|line| line.split_once(&skip)) {
        return Verdict::Skipped(reason.to_owned());
    }
    let ended = output.text.lines().any(|line| line.starts_with("test result: "));
    // The list of failures at the end; the line of the test itself may have been torn by what other tests print.
    let failed = output.text.lines().any(|line| line.strip_prefix("    ") == Some(path));
    match (output.success, ended) {
        (true, _) => Verdict::Holds,
        (false, true) if !failed => Verdict::Holds,
        (false, true) => Verdict::Fails(format!(
            "fails, run cargo test --package {package} --all-features {path}"
        )),
        (false, false) => Verdict::Fails("was not finished: its test binary crashed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Output, Verdict, listed, passed, verdict};

    const FAILED: &str = "running 2 tests\ntest a::good ... ok\ntest a::bad ... FAILED\n\nfailures:\n\n---- a::bad stdout ----\nno\n\n\
        failures:\n    a::bad\n\ntest result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n";

    #[test]
    fn list_is_read() {
        assert_eq!(
            listed("a::b: test\na::c: test\nd: benchmark\n").into_iter().collect::<Vec<_>>(),
            ["a::b", "a::c"]
        );
    }

    #[test]
    fn failed_test_fails_alone() {
        let output = Output { success: false, text: FAILED.to_owned() };
        assert_eq!(
            verdict(&output, "p", "a::bad"),
            Verdict::Fails("fails, run cargo test --package p --all-features a::bad".to_owned())
        );
        assert_eq!(verdict(&output, "p", "a::good"), Verdict::Holds);
    }

    #[test]
    fn crashed_binary_fails_all() {
        let output = Output { success: false, text: "running 1 test\n".to_owned() };
        assert!(matches!(verdict(&output, "p", "a::good"), Verdict::Fails(_)));
    }

    #[test]
    fn skipped_test_is_not_proven() {
        let text =
            "test a::b ... skipped: a::b: no node\nok\ntest result: ok. 1 passed; 0 failed\n"
                .to_owned();
        assert_eq!(
            verdict(&Output { success: true, text }, "p", "a::b"),
            Verdict::Skipped("no node".to_owned())
        );
    }

    #[test]
    fn passed_doctests_are_counted() {
        assert_eq!(passed("test result: ok. 12 passed; 0 failed"), Some(12));
        assert_eq!(passed("test result: FAILED. 12 passed; 1 failed"), None);
    }
}
