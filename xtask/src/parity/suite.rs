//! Runs the tests that the page names, and no others.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::{
    parity::{
        binary::Binary,
        harness::{passed, verdict},
        proof::Proof,
    },
    workspace::Workspace,
};

/// What became of a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Holds,
    /// With the reason.
    Skipped(String),
    /// With what is wrong, to follow the name of the proof.
    Fails(String),
}

pub(super) struct Suite<'a> {
    sh: &'a Shell,
    workspace: &'a Workspace,
    /// Test paths by package.
    tests: BTreeMap<String, BTreeSet<String>>,
    doctests: BTreeSet<String>,
}

impl<'a> Suite<'a> {
    pub(super) fn new(sh: &'a Shell, workspace: &'a Workspace) -> Suite<'a> {
        Suite { sh, workspace, tests: BTreeMap::new(), doctests: BTreeSet::new() }
    }

    pub(super) fn want_test(&mut self, package: &str, path: &str) {
        self.tests.entry(package.to_owned()).or_default().insert(path.to_owned());
    }

    pub(super) fn want_doctests(&mut self, package: &str) {
        self.doctests.insert(package.to_owned());
    }

    pub(super) fn run(self) -> Result<BTreeMap<Proof, Verdict>> {
        let mut verdicts = BTreeMap::new();
        let packages: BTreeSet<&str> = self.tests.keys().map(String::as_str).collect();
        let binaries = Binary::build(self.sh, self.workspace, &packages)?;
        for (package, paths) in &self.tests {
            let binaries = binaries.iter().filter(|binary| binary.member.name == *package);
            let mut found = self.run_tests(binaries, paths)?;
            for path in paths {
                let missing = || Verdict::Fails("does not exist".to_owned());
                let verdict = found.remove(path.as_str()).unwrap_or_else(missing);
                verdicts.insert(Proof::test(package, path), verdict);
            }
        }
        for package in &self.doctests {
            let verdict = self.run_doctests(package)?;
            verdicts.insert(Proof::Doctests { package: package.clone() }, verdict);
        }
        Ok(verdicts)
    }

    /// Runs those of `paths` that exist; a path in two binaries has to hold in both.
    fn run_tests<'b>(
        &self,
        binaries: impl Iterator<Item = &'b Binary<'b>>,
        paths: &'b BTreeSet<String>,
    ) -> Result<BTreeMap<&'b str, Verdict>> {
        let mut verdicts = BTreeMap::new();
        for binary in binaries {
            let (ignored, named): (Vec<&str>, Vec<&str>) = paths
                .intersection(&binary.tests)
                .map(String::as_str)
                .partition(|path| binary.ignored.contains(*path));
            verdicts.extend(
                ignored.iter().map(|path| (*path, Verdict::Fails("is ignored".to_owned()))),
            );
            if named.is_empty() {
                continue;
            }
            let output = binary.run(self.sh, &named)?;
            for path in named {
                let kept = verdicts.entry(path).or_insert(Verdict::Holds);
                if *kept == Verdict::Holds {
                    *kept = verdict(&output, &binary.member.name, path);
                }
            }
        }
        Ok(verdicts)
    }

    /// Selects them out of all doctests by the folder that their names begin with: a narrower selection of packages would
    /// have other features, and build everything again.
    fn run_doctests(&self, package: &str) -> Result<Verdict> {
        let sh = self.sh;
        let Some(member) = self.workspace.member(package) else {
            return Ok(Verdict::Fails("is no package".to_owned()));
        };
        let folder = format!("{}/", member.folder(&self.workspace.root).display());
        let command = cmd!(sh, "cargo test --quiet --workspace --all-features --doc -- {folder}");
        let output = command.ignore_status().output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let passed: u64 = text.lines().filter_map(passed).sum();
        Ok(match (output.status.success(), passed) {
            (false, _) => {
                Verdict::Fails(format!("fails, run cargo test --package {package} --doc"))
            }
            (true, 0) => Verdict::Fails("has no doctest".to_owned()),
            (true, _) => Verdict::Holds,
        })
    }
}
