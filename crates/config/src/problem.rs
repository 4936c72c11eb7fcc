//! What is wrong with an environment, for people and for programs.

use std::fmt;

use crate::json;

/// One variable and what is wrong with it.
///
/// Holds no secret: values are quoted only where their type allows it, shortened to 64 characters, and never where they contain the
/// text of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub(crate) variable: String,
    pub(crate) reason: String,
    pub(crate) expected: String,
}

impl Problem {
    /// The name of the variable, with control characters and bytes that are not UTF-8 escaped.
    pub fn variable(&self) -> &str {
        &self.variable
    }

    /// What is wrong; completes "`VARIABLE` …", as in `is missing`.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What would be right; completes "expected …". Empty where there is nothing to set, as for an unknown variable.
    pub fn expected(&self) -> &str {
        &self.expected
    }
}

/// One line: `ORDERS_PORT is missing: expected a whole number from 1024 to 65535`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.variable, self.reason)?;
        if self.expected.is_empty() { Ok(()) } else { write!(f, ": expected {}", self.expected) }
    }
}

/// Everything that is wrong with an environment.
///
/// `Display` is a table for a person, [`to_json`](Problems::to_json) one line for a program. Neither holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    problems: Vec<Problem>,
}

impl Problems {
    pub(crate) fn new(problems: Vec<Problem>) -> Problems {
        Problems { problems }
    }

    /// The problems: first those of the fields, in the order of declaration, then unknown variables by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Problem> {
        self.problems.iter()
    }

    /// How many there are: at least one.
    #[expect(
        clippy::len_without_is_empty,
        reason = "there is at least one problem, or there would be a configuration"
    )]
    pub fn len(&self) -> usize {
        self.problems.len()
    }

    /// A JSON array of objects with the keys `variable`, `reason` and `expected`, in one line.
    pub fn to_json(&self) -> String {
        problems_to_json(&self.problems)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.problems.len() == 1 { "" } else { "s" };
        writeln!(f, "invalid configuration: {} problem{plural}", self.problems.len())?;
        // One name of a thousand characters must not push every reason out of sight.
        let width = self
            .problems
            .iter()
            .map(|problem| problem.variable.chars().count())
            .max()
            .unwrap_or(0)
            .min(40);
        for problem in &self.problems {
            write!(f, "\n  {:width$}  {}", problem.variable, problem.reason)?;
            if !problem.expected.is_empty() {
                write!(f, "\n  {:width$}  expected {}", "", problem.expected)?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

pub(crate) fn problems_to_json(problems: &[Problem]) -> String {
    let mut out = String::from("[");
    for (index, problem) in problems.iter().enumerate() {
        let separator = if index == 0 { "{" } else { ",{" };
        out.push_str(separator);
        json::member(&mut out, "variable", &problem.variable);
        out.push(',');
        json::member(&mut out, "reason", &problem.reason);
        if !problem.expected.is_empty() {
            out.push(',');
            json::member(&mut out, "expected", &problem.expected);
        }
        out.push('}');
    }
    out.push(']');
    out
}
