//! A test binary that `cargo xtask test` built, run without cargo.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::{
    parity::harness::{Output, listed},
    workspace::{Member, Workspace},
};

/// A test binary of one of the packages that the page names.
pub(super) struct Binary<'a> {
    pub(super) member: &'a Member,
    executable: PathBuf,
    /// The paths of all its tests.
    pub(super) tests: BTreeSet<String>,
    pub(super) ignored: BTreeSet<String>,
}

impl<'a> Binary<'a> {
    /// Finds the binaries of these packages, and builds none that is there: same selection, same features.
    pub(super) fn build(
        sh: &Shell,
        workspace: &'a Workspace,
        packages: &BTreeSet<&str>,
    ) -> Result<Vec<Binary<'a>>> {
        if packages.is_empty() {
            return Ok(Vec::new());
        }
        let build = cmd!(sh, "cargo test --workspace --all-features --lib --bins --tests --no-run");
        let messages = build.arg("--message-format=json-render-diagnostics").read()?;
        let mut binaries = Vec::new();
        for line in messages.lines() {
            let message: Value = serde_json::from_str(line)?;
            if message["profile"]["test"] != true {
                continue;
            }
            let manifest = message["manifest_path"].as_str().map(Path::new).and_then(Path::parent);
            let member =
                workspace.members.iter().find(|member| Some(member.dir.as_path()) == manifest);
            let wanted = member.filter(|member| packages.contains(member.name.as_str()));
            if let (Some(member), Some(executable)) = (wanted, message["executable"].as_str()) {
                let list = cmd!(sh, "{executable} --list --format terse").quiet().read()?;
                let ignored =
                    cmd!(sh, "{executable} --list --format terse --ignored").quiet().read()?;
                binaries.push(Binary {
                    member,
                    executable: executable.into(),
                    tests: listed(&list),
                    ignored: listed(&ignored),
                });
            }
        }
        Ok(binaries)
    }

    /// Runs these tests as cargo would: in the folder of the package, with the variables that tests ask for.
    pub(super) fn run(&self, sh: &Shell, paths: &[&str]) -> Result<Output> {
        let Binary { member, executable, .. } = self;
        let _folder = sh.push_dir(&member.dir);
        let name = executable.file_stem().unwrap_or_default().display();
        println!("{}: {} tests of {name}", member.name, paths.len());
        let output = cmd!(sh, "{executable} --exact {paths...}")
            .env("CARGO_MANIFEST_DIR", &member.dir)
            .env("CARGO_PKG_NAME", &member.name)
            .env("CARGO_PKG_VERSION", &member.version)
            .env_remove("UNDERPIN_FULL")
            .quiet()
            .ignore_status()
            .output()
            .with_context(|| format!("cannot run {}", executable.display()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(Output { success: output.status.success(), text })
    }
}
