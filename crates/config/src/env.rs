//! A snapshot of environment variables.

use std::{
    cmp::Ordering,
    ffi::{OsStr, OsString},
    fmt,
    path::{Path, PathBuf},
};

/// Environment variables, taken once: loading reads a snapshot, so that no two fields can see different environments.
///
/// [`Env::process`] is the environment of this process. For a test, collect pairs:
///
/// ```
/// use underpin_config::Env;
///
/// let env = Env::from_iter([("ORDERS_PORT", "3000")]);
/// ```
///
/// `Debug` prints names, never values. On Windows names are compared without regard to ASCII case, as Windows does.
#[derive(Clone, Default)]
pub struct Env {
    /// Sorted by name; equal names stand in the order they came in.
    variables: Vec<Variable>,
    dotenv: Option<PathBuf>,
}

#[derive(Clone)]
pub(crate) struct Variable {
    pub(crate) name: OsString,
    pub(crate) value: OsString,
    /// The line of the `.env` file that it came from.
    pub(crate) line: Option<usize>,
}

impl Env {
    /// The environment of this process, and `.env` in its working directory for configurations that name a profile.
    pub fn process() -> Env {
        let mut env = std::env::vars_os().collect::<Env>();
        env.dotenv = Some(PathBuf::from(".env"));
        env
    }

    /// The same variables, with a file to read in development in place of `.env` in the working directory.
    ///
    /// It is read only for a configuration with `#[config(profile = "...")]`, and only where that variable is unset or `development`.
    /// A file that does not exist is no problem.
    #[must_use]
    pub fn with_dotenv(self, path: impl Into<PathBuf>) -> Env {
        Env {
            dotenv: Some(path.into()),
            ..self
        }
    }

    pub(crate) fn dotenv(&self) -> Option<&Path> {
        self.dotenv.as_deref()
    }

    pub(crate) fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// Adds variables that the environment does not have already.
    pub(crate) fn add_missing(&mut self, added: impl IntoIterator<Item = Variable>) {
        let known = self.variables.len();
        for variable in added {
            if self.variables[..known]
                .binary_search_by(|have| compare(&have.name, &[variable.name.as_os_str()]))
                .is_err()
            {
                self.variables.push(variable);
            }
        }
        self.sort();
    }

    /// Where the variables begin whose names are not less than the parts joined.
    pub(crate) fn position(&self, parts: &[&OsStr]) -> usize {
        self.variables
            .partition_point(|variable| compare(&variable.name, parts) == Ordering::Less)
    }

    fn sort(&mut self) {
        // Stable, so that of two equal names the first stays first.
        self.variables
            .sort_by(|a, b| a.name.as_encoded_bytes().cmp(b.name.as_encoded_bytes()));
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Env {
        let variables = pairs
            .into_iter()
            .map(|(name, value)| Variable::new(name.into(), value.into(), None))
            .collect();
        let mut env = Env {
            variables,
            dotenv: None,
        };
        env.sort();
        env
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.variables.iter().map(|variable| &variable.name))
            .finish()
    }
}

impl Variable {
    pub(crate) fn new(mut name: OsString, value: OsString, line: Option<usize>) -> Variable {
        if cfg!(windows) {
            name.make_ascii_uppercase();
        }
        Variable { name, value, line }
    }

    /// Whether the name is the parts joined.
    pub(crate) fn is_named(&self, parts: &[&OsStr]) -> bool {
        compare(&self.name, parts) == Ordering::Equal
    }

    /// Whether the name begins with the parts joined.
    pub(crate) fn begins_with(&self, parts: &[&OsStr]) -> bool {
        let mut rest = self.name.as_encoded_bytes();
        parts
            .iter()
            .all(|part| match rest.split_at_checked(part.len()) {
                Some((head, tail)) if head == part.as_encoded_bytes() => {
                    rest = tail;
                    true
                }
                _ => false,
            })
    }
}

/// Compares `name` with the parts joined, without joining them.
fn compare(name: &OsStr, parts: &[&OsStr]) -> Ordering {
    let mut rest = name.as_encoded_bytes();
    for part in parts {
        let part = part.as_encoded_bytes();
        let head;
        (head, rest) = rest.split_at(part.len().min(rest.len()));
        match head.cmp(part) {
            Ordering::Equal => {}
            unequal => return unequal,
        }
    }
    if rest.is_empty() {
        Ordering::Equal
    } else {
        Ordering::Greater
    }
}
