//! `cargo xtask integration`: tests that need two crates or a program that is not ours.

use std::fs;

use anyhow::{Context as _, Result, bail};
use xshell::{Shell, cmd};

use crate::{flags, loom, workspace::Workspace};

/// The package, and the name of its one test target.
pub(crate) const PACKAGE: &str = "integration";

impl flags::Integration {
    pub(crate) fn run(self, sh: &Shell) -> Result<()> {
        let workspace = Workspace::load(sh)?;
        let path = workspace.find(PACKAGE)?.dir.join("tests/it/main.rs");
        let main =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let areas = areas(&main);
        if let Some(area) = &self.area
            && !areas.contains(&area.as_str())
        {
            bail!("no area `{area}`; the areas are {}", areas.join(", "));
        }
        println!(
            "areas: {}; {}",
            self.area.clone().unwrap_or_else(|| areas.join(", ")),
            if self.full {
                "all counts, in release, one test at a time"
            } else {
                "about a tenth of the counts, in debug (all of them: --full)"
            }
        );
        // Selected out of the whole workspace, for the features that the other tests were built with.
        let release = self.full.then_some("--release");
        // Figures of a machine that does something else at the same time are none.
        let alone = self.full.then_some("--test-threads=1");
        let tests = ["--workspace", "--all-features", "--test", PACKAGE];
        // By their whole names: the harness looks for a part of one anywhere, and would find `orders::processes` in the area `processes`.
        let names = match &self.area {
            None => Vec::new(),
            Some(area) => {
                let list = cmd!(sh, "cargo test {tests...} {release...} -- --list --format terse")
                    .read()?;
                tests_of(area, &list)
            }
        };
        let exact = self.area.as_ref().map(|_| "--exact");
        let command =
            cmd!(sh, "cargo test {tests...} {release...} -- {exact...} {names...} {alone...}");
        let command = if self.full {
            command.env("UNDERPIN_FULL", "1")
        } else {
            command.env_remove("UNDERPIN_FULL")
        };
        // The names would fill the screen.
        command.quiet().run()?;
        // Too slow for `ci`, and what a full run of this area is asked for.
        if self.full && self.area.as_deref().is_none_or(|area| area == "lifecycle") {
            loom::run(sh)?;
        }
        Ok(())
    }
}

/// The modules that the test binary's root declares.
fn areas(main: &str) -> Vec<&str> {
    main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect()
}

/// The tests of an area, out of what the harness lists.
fn tests_of(area: &str, list: &str) -> Vec<String> {
    let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
    let of_area = |name: &&str| name.strip_prefix(area).is_some_and(|rest| rest.starts_with("::"));
    names.filter(of_area).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{areas, tests_of};

    #[test]
    fn areas_are_the_modules() {
        assert_eq!(areas("//! Docs.\n\nmod config;\nmod fault;\n"), ["config", "fault"]);
    }

    #[test]
    fn an_area_is_its_own_tests_and_not_those_of_a_module_of_the_same_name() {
        let list = "orders::processes::a: test\nprocesses::b: test\nprocesses_too::c: test\nprocesses::d: benchmark\n\n3 tests\n";
        assert_eq!(tests_of("processes", list), ["processes::b"]);
    }
}
