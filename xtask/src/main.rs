//! The workspace's own commands: `cargo xtask --help` lists them, `.cargo/config.toml` has the alias.
//!
//! One command is one file with one `run`; the command line in `flags.rs` is data and doubles as the help.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program talks to its terminal"
)]

mod bench;
mod ci;
mod docs;
mod features;
mod flags;
mod integration;
mod loom;
mod markdown;
mod parity;
mod publish;
mod setup;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use xshell::Shell;

use crate::flags::{Xtask, XtaskCmd};

fn main() -> ExitCode {
    match run(Xtask::from_env_or_exit()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: Xtask) -> anyhow::Result<()> {
    let sh = Shell::new()?;
    // Wherever it was called from: paths in messages are relative to the root.
    sh.change_dir(testkit::workspace_root());
    match flags.subcommand {
        XtaskCmd::Ci(ci) => ci.run(&sh),
        XtaskCmd::Test(test) => test.run(&sh),
        XtaskCmd::Features(features) => features.run(&sh),
        XtaskCmd::Docs(_) => docs::run(&sh),
        XtaskCmd::Integration(integration) => integration.run(&sh),
        XtaskCmd::Loom(_) => loom::run(&sh),
        XtaskCmd::Tidy(_) => tidy::run(&sh),
        XtaskCmd::Parity(_) => parity::run(&sh),
        XtaskCmd::Bench(bench) => bench.run(&sh),
        XtaskCmd::Setup(_) => setup::run(&sh),
        XtaskCmd::Publish(publish) => publish.run(&sh),
    }
}
