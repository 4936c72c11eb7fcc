//! The resilience crates beside their peers, in one run.
//!
//! `cargo xtask bench resilience` runs all of it, after the conformance suite. Run as a program, it takes the name of a part:
//! `conformance`, `breakers`, `retries`, `limiters`, `memory`, `requests`, `instructions`.

use std::{
    env,
    process::{Command, ExitCode},
};

use measure::Counting;

mod breakers;
mod instructions;
mod limiters;
mod memory;
mod polled;
mod requests;
mod retries;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match *args.as_slice() {
        [] => {
            let code = conformance();
            breakers::tables();
            retries::tables();
            limiters::tables();
            memory::table();
            requests::tables();
            return if instructions::tables() { code } else { ExitCode::FAILURE };
        }
        ["conformance"] => return conformance(),
        ["breakers"] => breakers::tables(),
        ["retries"] => retries::tables(),
        ["limiters"] => limiters::tables(),
        ["memory"] => memory::table(),
        ["requests"] => requests::tables(),
        ["instructions"] => {
            if !instructions::tables() {
                return ExitCode::FAILURE;
            }
        }
        // What the program starts itself.
        ["remember", limiter] => memory::remember(limiter),
        ["call", table, contender] => instructions::call(table, contender),
        _ => {
            eprintln!(
                "no such part; the parts are conformance, breakers, retries, limiters, memory, requests, instructions"
            );
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// A program of its own, because it turns on features of the peers that would be measured here.
fn conformance() -> ExitCode {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance/Cargo.toml");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--quiet", "--release", "--manifest-path", manifest])
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the conformance suite cannot be run: {error}");
            ExitCode::FAILURE
        }
    }
}
