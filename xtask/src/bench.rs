//! `cargo xtask bench`: our crates beside their peers, in one run, with what each brings to a build.
//!
//! An area is a package `bench/AREA`; running it prints its table. The peers it names in its manifest are counted here.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::{flags, tidy::unique_crates, workspace::Workspace};

impl flags::Bench {
    pub(crate) fn run(self, sh: &Shell) -> Result<()> {
        let bench = Workspace::load(sh)?.root.join("bench");
        let areas = areas(&bench);
        let chosen: Vec<&String> = match &self.area {
            None => areas.iter().collect(),
            Some(area) if areas.contains(area) => vec![area],
            Some(area) => bail!("no area `{area}`; the areas are {}", areas.join(", ")),
        };
        if chosen.is_empty() {
            bail!("there is nothing in {}", bench.display());
        }
        for area in chosen {
            let manifest = bench.join(area).join("Cargo.toml");
            cmd!(sh, "cargo run --release --manifest-path {manifest}").run()?;
            println!("\n{:<24} crates in a build, itself included", "dependencies");
            for peer in peers(sh, &manifest)? {
                let tree = cmd!(
                    sh,
                    "cargo tree --quiet --manifest-path {manifest} --package {peer} --edges normal,build --prefix none"
                );
                println!("{peer:<24} {}", unique_crates(&tree.quiet().read()?));
            }
        }
        Ok(())
    }
}

/// The folders of `bench/` that hold a program; the others hold what several of them share.
fn areas(bench: &Path) -> Vec<String> {
    let folders = fs::read_dir(bench).into_iter().flatten().flatten();
    let mut areas: Vec<String> = folders
        .filter(|folder| folder.path().join("src/main.rs").is_file())
        .filter_map(|folder| folder.file_name().into_string().ok())
        .collect();
    areas.sort();
    areas
}

/// What `[package.metadata.underpin] peers = [...]` lists: our crate and those it is measured against.
fn peers(sh: &Shell, manifest: &Path) -> Result<Vec<String>> {
    let json =
        cmd!(sh, "cargo metadata --quiet --no-deps --format-version 1 --manifest-path {manifest}")
            .quiet()
            .read()?;
    let metadata: Value = serde_json::from_str(&json)?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let ours = packages.iter().find(|package| {
        package["manifest_path"].as_str().is_some_and(|path| Path::new(path) == manifest)
    });
    let peers =
        ours.context("the package is not in its own workspace")?["metadata"]["underpin"]["peers"]
            .as_array();
    Ok(peers.into_iter().flatten().filter_map(|peer| peer.as_str().map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::areas;

    #[test]
    fn area_is_a_folder_with_a_program() {
        let areas = areas(&testkit::workspace_root().join("bench"));
        assert!(areas.contains(&"config".to_owned()), "{areas:?}");
        assert!(!areas.contains(&"measure".to_owned()), "{areas:?}");
    }
}
