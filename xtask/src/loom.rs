//! `cargo xtask loom`: every interleaving of the lock-free cores that loom finds, within the bounds their models name.

use std::fs;

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

use crate::workspace::{Member, Workspace};

/// What a manifest has for the models' dependencies.
const MARK: &str = "cfg(underpin_loom)";

/// The folder is its own, because the flag rebuilds every dependency.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let workspace = Workspace::load(sh)?;
    let target = workspace.root.join("target/loom");
    for member in workspace.published().filter(|member| has_models(member)) {
        let name = &member.name;
        println!("{name}");
        let models = cmd!(
            sh,
            "cargo test --quiet --release --package {name} --lib --no-default-features -- models"
        );
        let output = models
            .env("RUSTFLAGS", "--cfg underpin_loom")
            .env("CARGO_TARGET_DIR", &target)
            .quiet()
            .read()?;
        println!("{output}");
        if output.contains("running 0 tests") {
            bail!(
                "{name} has no test in a module `models`: write it, or take {MARK} out of its manifest"
            );
        }
    }
    Ok(())
}

fn has_models(member: &Member) -> bool {
    fs::read_to_string(member.dir.join("Cargo.toml")).is_ok_and(|manifest| manifest.contains(MARK))
}

#[cfg(test)]
mod tests {
    use xshell::Shell;

    use super::has_models;
    use crate::workspace::Workspace;

    #[test]
    fn crates_with_models_are_found() {
        let sh = Shell::new().expect("a shell");
        sh.change_dir(testkit::workspace_root());
        let workspace = Workspace::load(&sh).expect("a workspace");
        let names: Vec<&str> = workspace
            .published()
            .filter(|member| has_models(member))
            .map(|member| member.name.as_str())
            .collect();
        for (name, expected) in [("underpin-tasks", true), ("underpin-config", false)] {
            assert_eq!(names.contains(&name), expected, "{names:?}");
        }
    }
}
