//! The closing table and the last line.

use std::fmt;

use crate::ci::tally::Tally;

#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) rows: Vec<Row>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Passed {
        seconds: f64,
        tally: Tally,
    },
    Failed {
        seconds: f64,
        tally: Tally,
    },
    /// With the reason.
    NotRun(String),
}

impl Report {
    /// `N passed, N failed, N skipped`, over all test runs.
    pub(super) fn totals(&self) -> String {
        let (mut passed, mut failed, mut skipped) = (0, 0, 0);
        for row in &self.rows {
            match &row.outcome {
                Outcome::Passed { tally, .. } => {
                    passed += tally.passed();
                    skipped += tally.skipped.len();
                }
                Outcome::Failed { tally, .. } => {
                    passed += tally.passed();
                    // A step can fail without a test, for example where it does not compile; this line must not read as a green one.
                    failed += tally.failed.max(1);
                    skipped += tally.skipped.len();
                }
                Outcome::NotRun(_) => {}
            }
        }
        format!("{passed} passed, {failed} failed, {skipped} skipped")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        for row in &self.rows {
            if let Outcome::Passed { tally, .. } | Outcome::Failed { tally, .. } = &row.outcome {
                for skip in &tally.skipped {
                    writeln!(f, "skipped: {skip}")?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, seconds, tally) = match &self.outcome {
            Outcome::Passed { seconds, tally } => ("ok", seconds, tally),
            Outcome::Failed { seconds, tally } => ("FAILED", seconds, tally),
            Outcome::NotRun(reason) => return write!(f, "{:<12} not run: {reason}", self.name),
        };
        write!(f, "{:<12} {word:<8} {seconds:>7.1} s", self.name)?;
        let counts = [
            (tally.passed(), "passed"),
            (tally.failed, "failed"),
            (tally.skipped.len() as u64, "skipped"),
        ];
        let mut separator = "   ";
        for (count, what) in counts.iter().filter(|(count, _)| *count > 0) {
            write!(f, "{separator}{count} {what}")?;
            separator = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Report, Row, Tally};

    #[test]
    fn totals_sum_over_the_steps() {
        let rows = vec![
            Row {
                name: "test",
                outcome: Outcome::Passed { seconds: 1.0, tally: Tally::made_up(5, 0, &["a: b"]) },
            },
            Row {
                name: "doctests",
                outcome: Outcome::Failed { seconds: 1.0, tally: Tally::made_up(2, 3, &[]) },
            },
            Row { name: "docs", outcome: Outcome::NotRun("an earlier step failed".to_owned()) },
        ];
        assert_eq!(Report { rows }.totals(), "7 passed, 3 failed, 1 skipped");
    }

    #[test]
    fn failed_step_without_a_failed_test_counts_as_one() {
        let rows = vec![Row {
            name: "fmt",
            outcome: Outcome::Failed { seconds: 1.0, tally: Tally::default() },
        }];
        assert_eq!(Report { rows }.totals(), "0 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn what_was_skipped_is_named_with_its_reason() {
        let rows = vec![
            Row {
                name: "deny",
                outcome: Outcome::NotRun("cargo-deny is not installed".to_owned()),
            },
            Row {
                name: "test",
                outcome: Outcome::Passed {
                    seconds: 1.25,
                    tally: Tally::made_up(5, 0, &["a::b: no node"]),
                },
            },
        ];
        assert_eq!(
            Report { rows }.to_string(),
            "deny         not run: cargo-deny is not installed\n\
             test         ok           1.2 s   5 passed, 1 skipped\n\
             skipped: a::b: no node\n"
        );
    }
}
