//! `cargo xtask test`: the tests of the crates. Those that need two crates or a foreign program are `cargo xtask integration`.

use std::collections::BTreeSet;

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::{flags, integration, workspace::Workspace};

impl flags::Test {
    pub(crate) fn run(self, sh: &Shell) -> Result<()> {
        let workspace = Workspace::load(sh)?;
        if let Some(name) = &self.package {
            let name = &workspace.find(name)?.name;
            let targets = self.no_doc.then_some("--all-targets");
            return Ok(cmd!(sh, "cargo test --package {name} --all-features {targets...}").run()?);
        }
        let tests = test_targets(&workspace);
        let targets = tests.iter().flat_map(|target| ["--test", target]);
        cmd!(sh, "cargo test --workspace --all-features --lib --bins {targets...}").run()?;
        if !self.no_doc {
            cmd!(sh, "cargo test --workspace --all-features --doc").run()?;
        }
        Ok(())
    }
}

/// The test targets of all members but one. `--exclude integration` would do too, but it changes what features are unified over, and
/// with them every dependency would be compiled once more.
fn test_targets(workspace: &Workspace) -> BTreeSet<&str> {
    let members = workspace.members.iter().filter(|member| member.name != integration::PACKAGE);
    members.flat_map(|member| member.tests.iter().map(String::as_str)).collect()
}
