//! A snapshot of environment variables.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    fmt,
    path::{Path, PathBuf},
};

/// Environment variables, taken once: loading reads a snapshot, so that no two fields can see
/// different environments.
///
/// [`Env::process`] is the environment of this process. For a test, make one of pairs, or collect
/// them:
///
/// ```
/// use underpin_config::Env;
///
/// let env = Env::from([("ORDERS_PORT", "3000")]);
/// ```
///
/// `Debug` prints names, never values. On Windows names are compared without regard to ASCII case,
/// as Windows does.
#[derive(Clone, Default)]
pub struct Env {
    variables: Vec<Variable>,
    /// Indices into `variables` at the places that the hashes of their names lead to, plus one; zero
    /// is an empty place. At least every other place is empty.
    table: Vec<u32>,
    /// Whether any name ends with `_FILE`.
    has_files: bool,
    dotenv: Option<PathBuf>,
}

#[derive(Clone)]
pub(crate) struct Variable {
    pub(crate) name: OsString,
    pub(crate) value: OsString,
    /// The line of the `.env` file that it came from.
    pub(crate) line: Option<usize>,
    /// Further values of the same name: from the `.env` file, where the environment goes before it, or
    /// from the environment itself, since execve(2) takes any list of strings.
    pub(crate) others: Vec<(OsString, Option<usize>)>,
}

impl Env {
    /// The environment of this process, and `.env` in its working directory for configurations that
    /// name a profile.
    pub fn process() -> Env {
        let mut env = std::env::vars_os().collect::<Env>();
        env.dotenv = Some(PathBuf::from(".env"));
        env
    }

    /// The same variables, with a file to read in development in place of `.env` in the working
    /// directory.
    ///
    /// It is read only for a configuration with `#[config(profile = "...")]`, and only where that
    /// variable is unset or `development`. A file that does not exist is no problem.
    #[must_use]
    pub fn with_dotenv(self, path: impl Into<PathBuf>) -> Env {
        Env { dotenv: Some(path.into()), ..self }
    }

    pub(crate) fn dotenv(&self) -> Option<&Path> {
        self.dotenv.as_deref()
    }

    pub(crate) fn variables(&self) -> &[Variable] {
        &self.variables
    }

    pub(crate) fn has_files(&self) -> bool {
        self.has_files
    }

    /// The index of the variable of that name.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        if self.table.is_empty() {
            return None;
        }
        let name =
            if cfg!(windows) { Cow::Owned(name.to_ascii_uppercase()) } else { Cow::Borrowed(name) };
        self.place(OsStr::new(&*name)).1
    }

    /// Adds the variables of a `.env` file, behind those of the same name that are there already.
    pub(crate) fn fill_in(&mut self, added: Vec<Variable>) {
        let own = std::mem::take(&mut self.variables);
        let dotenv = self.dotenv.take();
        *self = Env { dotenv, ..own.into_iter().chain(added).collect() };
    }

    fn insert(&mut self, variable: Variable) {
        let (place, known) = self.place(&variable.name);
        if let Some(index) = known {
            let Variable { value, line, others, .. } = variable;
            let known = &mut self.variables[index].others;
            known.push((value, line));
            known.extend(others);
            return;
        }
        self.has_files |= variable.name.as_encoded_bytes().ends_with(b"_FILE");
        self.variables.push(variable);
        // More variables than fit into 32 bits would have been more than fit into an environment.
        self.table[place] = u32::try_from(self.variables.len()).unwrap_or(0);
    }

    /// The place in the table where `name` is or would be, and the index of its variable.
    fn place(&self, name: &OsStr) -> (usize, Option<usize>) {
        let mask = self.table.len() - 1;
        let mut place = hash(name.as_encoded_bytes()) & mask;
        loop {
            match self.table[place] {
                0 => return (place, None),
                index if self.variables[index as usize - 1].name == name => {
                    return (place, Some(index as usize - 1));
                }
                _ => place = (place + 1) & mask,
            }
        }
    }
}

impl FromIterator<Variable> for Env {
    fn from_iter<I: IntoIterator<Item = Variable>>(variables: I) -> Env {
        let variables = variables.into_iter();
        let expected = variables.size_hint().0.max(4);
        let mut env = Env { variables: Vec::with_capacity(expected), ..Env::default() };
        env.table = vec![0; (expected * 2).next_power_of_two()];
        for variable in variables {
            if (env.variables.len() + 1) * 2 > env.table.len() {
                let variables = std::mem::take(&mut env.variables);
                env.table = vec![0; env.table.len() * 2];
                for variable in variables {
                    env.insert(variable);
                }
            }
            env.insert(variable);
        }
        env
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Env {
        pairs
            .into_iter()
            .map(|(name, value)| Variable::new(name.into(), value.into(), None))
            .collect()
    }
}

impl<K: Into<OsString>, V: Into<OsString>, const N: usize> From<[(K, V); N]> for Env {
    fn from(pairs: [(K, V); N]) -> Env {
        pairs.into_iter().collect()
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<&OsString> =
            self.variables.iter().map(|variable| &variable.name).collect();
        names.sort();
        f.debug_set().entries(names).finish()
    }
}

impl Variable {
    pub(crate) fn new(mut name: OsString, value: OsString, line: Option<usize>) -> Variable {
        if cfg!(windows) {
            name.make_ascii_uppercase();
        }
        Variable { name, value, line, others: Vec::new() }
    }

    /// Whether the same source gives the name another value.
    pub(crate) fn is_ambiguous(&self) -> bool {
        self.others
            .iter()
            .any(|(value, line)| line.is_some() == self.line.is_some() && *value != self.value)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &OsString> {
        std::iter::once(&self.value).chain(self.others.iter().map(|(value, _)| value))
    }
}

/// Eight bytes at a time, multiplied by the golden ratio. An environment is not the place of an
/// attacker who gains by collisions, and the time of a table matters more here than its worst case.
fn hash(name: &[u8]) -> usize {
    let mix =
        |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (words, rest) = name.as_chunks::<8>();
    let mut hash = words.iter().fold(0, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    hash = rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)));
    (hash >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_name_and_no_other() {
        for count in [0, 1, 4, 5, 1_000, 20_000] {
            let env: Env = (0..count).map(|n| (format!("NAME_{n}"), n.to_string())).collect();
            for n in 0..count {
                let index = env.find(&format!("NAME_{n}")).unwrap();
                assert_eq!(env.variables()[index].value, *n.to_string());
            }
            assert_eq!(env.find("NAME_"), None);
            assert_eq!(env.find(&format!("NAME_{count}")), None);
        }
        assert_eq!(Env::default().find("NAME"), None);
    }
}
