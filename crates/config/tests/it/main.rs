//! What a user of the crate notices.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, in a helper too")]

mod checks;
mod compile_fail;
mod dotenv;
mod environment;
mod exit;
mod files;
mod generated;
mod hygiene;
mod nested;
mod report;
mod secrets;
mod unknown;
mod values;

use underpin_config::{Config, Env, Problems};

/// Loads `T` from pairs.
fn load<T: Config>(pairs: &[(&str, &str)]) -> Result<T, Problems> {
    let env: Env = pairs.iter().copied().collect();
    T::load_from(env).map(|loaded| loaded.value)
}

/// The problems of loading `T` from pairs, a line each.
fn problems<T: Config>(pairs: &[(&str, &str)]) -> Vec<String> {
    lines(load::<T>(pairs))
}

fn lines<T>(result: Result<T, Problems>) -> Vec<String> {
    match result {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}
