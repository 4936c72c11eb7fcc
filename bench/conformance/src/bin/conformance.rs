//! Prints who passes what: `conformance [breakers | limiters | PART-OF-A-NAME]`.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    conformance::run(&env::args().nth(1).unwrap_or_default())
}
