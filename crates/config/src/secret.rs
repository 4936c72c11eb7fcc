//! A value that does not print.

use std::fmt;

use crate::value::{Form, Invalid, Listed, Measured, Ranged, Rules, Schemed, Value};

/// A value that must not appear in a log: its `Debug` is `Secret(***)`, and it has no `Display`, so that no connection string is ever
/// built from stars.
///
/// No report quotes the text of a secret, nor any other value that contains it. Memory is not wiped: the same bytes stay in the
/// environment of the process (`/proc/self/environ`) whatever this type does. A secret in a file (`NAME_FILE`) is not in the environment.
#[derive(Clone, Default)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides `value`.
    pub const fn new(value: T) -> Secret<T> {
        Secret(value)
    }

    /// The value itself: the one place to look for where a secret leaves.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The value itself, owned.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl<T: Value> Value for Secret<T> {
    const FORM: Form = T::FORM.secret();

    fn parse(text: &str, rules: &Rules) -> Result<Self, Invalid> {
        T::parse(text, rules).map(Secret).map_err(Invalid::redacted)
    }
}

impl<T: Ranged> Ranged for Secret<T> {}
impl<T: Schemed> Schemed for Secret<T> {}
impl<T: Listed> Listed for Secret<T> {}
impl<T: Measured> Measured for Secret<T> {
    const UNITS: &'static [&'static str] = T::UNITS;
}
