//! `cargo xtask docs`: the documentation builds without a warning, with all features and no foreign crate.

use anyhow::Result;
use xshell::{Shell, cmd};

pub(crate) fn run(sh: &Shell) -> Result<()> {
    // The flag is rustdoc's alone: to change the compiler's flags would rebuild every dependency.
    Ok(cmd!(sh, "cargo doc --workspace --no-deps --all-features")
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()?)
}
