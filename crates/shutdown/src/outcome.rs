//! What a cleanup, or the main future, may return.

use std::fmt::Display;

use crate::phase::Name;

/// What a cleanup, or the main future of an `App`, may return: `()`, or a `Result` whose error can be shown.
///
/// The error is rendered with `{:#}`, which shows the chain of causes where the type has one to show.
pub trait IntoOutcome {
    /// The error's text, if there is one.
    ///
    /// # Errors
    ///
    /// When the value is an error.
    fn into_outcome(self) -> Result<(), Name>;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Result<(), Name> {
        Ok(())
    }
}

impl<T, E: Display> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> Result<(), Name> {
        self.map(drop).map_err(|error| format!("{error:#}").into())
    }
}
