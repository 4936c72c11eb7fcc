//! A test that cannot run says so in one line that `cargo xtask` counts, or fails where it had to run.

use std::{
    fmt,
    io::{self, Write as _},
};

use crate::{is_ci, is_full};

/// Why a test cannot run here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a test that cannot run must say so: use `or_skip!`"]
pub struct Skip {
    reason: String,
}

impl Skip {
    /// Makes one; `reason` says what is missing and, in brackets, how to get it.
    pub fn new(reason: impl Into<String>) -> Skip {
        Skip { reason: reason.into() }
    }

    /// Prints `skipped: NAME: reason`, where `name` is a test's path or the type name of an item inside the test.
    ///
    /// # Panics
    ///
    /// With `CI=true` or `UNDERPIN_FULL=1`: there every program has to be installed.
    pub fn report(&self, name: &str) {
        let name = test_path(name);
        assert!(!is_ci() && !is_full(), "{name} cannot run: {self}");
        // Not `println!`: the test harness keeps what a passing test prints to itself.
        let _ = writeln!(io::stdout(), "skipped: {name}: {self}");
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Turns `it::fault::reads_details::{{closure}}::Here` into `fault::reads_details`.
fn test_path(type_name: &str) -> String {
    let Some(inside) = type_name.strip_suffix("::Here") else {
        return type_name.to_owned();
    };
    let segments: Vec<&str> =
        inside.split("::").filter(|segment| *segment != "{{closure}}").collect();
    segments.get(1..).unwrap_or_default().join("::")
}

/// Unwraps a `Result<_, Skip>`, or reports the skip under the name of the test around it and returns.
///
/// ```
/// fn asks_python() {
///     let python = testkit::or_skip!(testkit::python(&["grpcio"]));
///     let _ = python.command().arg("-c").arg("print(1)");
/// }
/// ```
#[macro_export]
macro_rules! or_skip {
    ($tool:expr) => {
        match $tool {
            Ok(tool) => tool,
            Err(skip) => {
                // The type name of an item inside the test holds the test's path; a thread's name would not survive
                // `--test-threads=1`.
                struct Here;
                return $crate::Skip::report(&skip, ::std::any::type_name::<Here>());
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::test_path;

    #[test]
    fn name_is_the_path_of_the_test() {
        assert_eq!(test_path("it::fault::reads_details::Here"), "fault::reads_details");
        assert_eq!(
            test_path("it::fault::reads_details::{{closure}}::Here"),
            "fault::reads_details"
        );
        assert_eq!(test_path("fault::reads_details"), "fault::reads_details");
    }
}
