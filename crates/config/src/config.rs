//! The trait that a configuration implements.

use std::path::PathBuf;

use crate::{
    env::Env,
    exit,
    problem::{Problem, Problems},
    reader::Reader,
    spec::Spec,
};

/// A struct that is read from environment variables; `#[derive(Config)]` writes it.
///
/// Loading reads the environment once and reports every mistake in it. It never changes the environment and parses no command line.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a configuration",
    label = "no `underpin_config::Config` for this type",
    note = "add `#[derive(underpin_config::Config)]` to the struct"
)]
pub trait Config: Sized {
    /// The variables. Generates `.env.example`, Markdown and JSON Schema.
    const SPEC: Spec;

    /// Reads every field, then gives `None` if any of them had a problem, which the reader keeps.
    fn read(reader: &mut Reader<'_>) -> Option<Self>;

    /// Reads the environment of this process; in development `.env` too, if the configuration names its profile.
    ///
    /// Warnings are dropped: see [`load_from`](Config::load_from) for those.
    ///
    /// # Errors
    ///
    /// Every problem that the environment has, at once.
    fn load() -> Result<Self, Problems> {
        Reader::load(Env::process(), false).map(|loaded| loaded.value)
    }

    /// Reads `env`.
    ///
    /// # Errors
    ///
    /// Every problem that `env` has, at once.
    ///
    /// # Panics
    ///
    /// With debug assertions on, if two fields read the same variable.
    fn load_from(env: Env) -> Result<Loaded<Self>, Problems> {
        Reader::load(env, true)
    }

    /// Reads the environment of this process as [`load`](Config::load) does, or ends the process with exit code 78 (`EX_CONFIG` of
    /// `sysexits.h`).
    ///
    /// Before that it prints the problems as one JSON line on stdout, for the log, and as a table on stderr, for the person. Warnings
    /// are printed as one JSON line on stdout. Neither waits longer than a second for a stream that nobody reads.
    fn load_or_exit() -> Self {
        exit::load_or_exit()
    }
}

/// A configuration and how it came about.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Loaded<T> {
    /// The configuration.
    pub value: T,
    /// What is not wrong but should change: former names in use, and unknown variables where they are no problem.
    pub warnings: Vec<Problem>,
    /// Where each variable came from, in the order of declaration. The names only: no values.
    pub sources: Vec<(String, Source)>,
}

/// Where a variable came from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The environment.
    Environment,
    /// The file that `NAME_FILE` names.
    File(PathBuf),
    /// That line of the `.env` file.
    Dotenv(usize),
    /// The default in the code.
    Default,
    /// Nowhere: it is optional and not set.
    Unset,
}
