//! Counts tests by reading what the test harness prints.

use std::collections::BTreeSet;

/// What the test runs of one step came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Tally {
    /// What the harness calls passed; to it a test that returned early because it could not run is one of them.
    returned: u64,
    could_not_run: u64,
    pub(super) failed: u64,
    /// `NAME: reason`, each once.
    pub(super) skipped: BTreeSet<String>,
}

impl Tally {
    pub(super) fn passed(&self) -> u64 {
        self.returned.saturating_sub(self.could_not_run)
    }

    /// Takes in one line of output.
    pub(super) fn read(&mut self, line: &str) {
        if let Some(skip) = skip_line(line) {
            self.could_not_run += u64::from(self.skipped.insert(skip.to_owned()));
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.returned += number_before(result, " passed");
            self.failed += number_before(result, " failed");
        } else if let Some((name, reason)) = ignored(line) {
            self.skipped.insert(format!("{name}: {reason}"));
        }
    }
}

/// The rest of `skipped: NAME: reason`, which a parallel run may print into the middle of the harness's own line.
fn skip_line(line: &str) -> Option<&str> {
    let (before, skip) = line.split_once("skipped: ")?;
    let harness = before.is_empty() || before.starts_with("test ");
    (harness && skip.contains(": ")).then_some(skip)
}

/// Reads `test NAME ... ignored, reason`.
fn ignored(line: &str) -> Option<(&str, &str)> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let reason = outcome.strip_prefix("ignored")?;
    Some((name, reason.strip_prefix(", ").unwrap_or("ignored without a reason")))
}

fn number_before(text: &str, word: &str) -> u64 {
    let end = text.find(word).unwrap_or_default();
    let digits = text[..end].rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or_default()
}

#[cfg(test)]
impl Tally {
    pub(super) fn made_up(passed: u64, failed: u64, skipped: &[&str]) -> Tally {
        let skipped = skipped.iter().map(|&skip| skip.to_owned()).collect();
        Tally { returned: passed, could_not_run: 0, failed, skipped }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn tally(output: &str) -> Tally {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.read(line));
        tally
    }

    #[test]
    fn results_of_all_binaries_add_up() {
        let tally = tally(
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.46s\n\
             test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        );
        assert_eq!((tally.passed(), tally.failed, tally.skipped.len()), (15, 2, 0));
    }

    #[test]
    fn skipped_test_is_not_a_passed_one() {
        let tally = tally(
            "test fault::reads ... skipped: fault::grpcio: no python3 with grpcio (x)\n\
             ok\n\
             test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.46s",
        );
        assert_eq!(
            tally.skipped.first().map(String::as_str),
            Some("fault::grpcio: no python3 with grpcio (x)")
        );
        assert_eq!(tally.passed(), 1);
    }

    #[test]
    fn ignored_test_is_skipped_with_its_reason() {
        let tally = tally(
            "test a::b ... ignored, needs an hour\ntest result: ok. 0 passed; 0 failed; 1 ignored; 0 measured",
        );
        assert_eq!(tally.skipped.first().map(String::as_str), Some("a::b: needs an hour"));
        assert_eq!((tally.passed(), tally.skipped.len()), (0, 1));
    }

    #[test]
    fn other_output_counts_for_nothing() {
        assert_eq!(
            tally("the word skipped: in a sentence: here\nok. 3 passed\nskipped: no colon"),
            Tally::default()
        );
    }
}
