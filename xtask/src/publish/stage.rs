//! What a rehearsal works on: a copy of the workspace and all that it needs, beside each other in one folder.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use xshell::{Shell, cmd};

use crate::{
    publish::{
        build_dir::{self, BuildDir},
        manifest,
        target::Target,
        transcript::Transcript,
    },
    workspace::Workspace,
};

/// The copy, with the build folder entered while it lives.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    pub(crate) copy: PathBuf,
    /// Two copies with the same digest are the same.
    pub(crate) digest: String,
    _build: BuildDir<'a>,
}

impl Stage<'_> {
    /// Copies the workspace and vendors what it needs; only this may use the network.
    pub(crate) fn set<'a>(sh: &'a Shell, workspace: &Workspace) -> Result<Stage<'a>> {
        let build = BuildDir::enter(sh, workspace)?;
        vendor(sh, workspace)?;
        let copy = build_dir::folder(workspace).join("workspace");
        let digest = copy_workspace(sh, workspace, &copy)?;
        Ok(Stage { copy, digest, _build: build })
    }
}

/// All third-party crates of the lock file as folders. They are kept until the lock file changes, so that only the first
/// rehearsal needs the network.
fn vendor(sh: &Shell, workspace: &Workspace) -> Result<()> {
    let folder = build_dir::folder(workspace);
    let (vendor, stamp) = (folder.join("vendor"), folder.join("vendor.lock"));
    let lock = fs::read(workspace.root.join("Cargo.lock"))
        .context("no Cargo.lock: run `cargo generate-lockfile`")?;
    if fs::read(&stamp).is_ok_and(|vendored| vendored == lock) {
        return Ok(());
    }
    let start = Instant::now();
    // A workspace without third-party crates gets no folder from cargo.
    fs::create_dir_all(&vendor)?;
    // Without the second flag cargo passes a mirror by that the user has configured.
    Transcript::of(cmd!(
        sh,
        "cargo vendor --locked --respect-source-config --versioned-dirs {vendor}"
    ))?
    .ok()?;
    fs::write(stamp, lock)?;
    println!(
        "    Vendored {} third-party crates ({:.1} s)",
        fs::read_dir(&vendor)?.count(),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Copies what git would commit, with our own crates coming from the rehearsal's registry, and returns a digest of it.
fn copy_workspace(sh: &Shell, workspace: &Workspace, copy: &Path) -> Result<String> {
    if copy.exists() {
        fs::remove_dir_all(copy)?;
    }
    let files = cmd!(sh, "git ls-files -z --cached --others --exclude-standard").quiet().read()?;
    let mut digest = Sha256::new();
    for file in files.split_terminator('\0') {
        let (from, to) = (workspace.root.join(file), copy.join(file));
        // In the index but no longer in the tree.
        if from.symlink_metadata().is_err() {
            continue;
        }
        // Links are followed, as they are when cargo packs them.
        let mut content = fs::read(&from).with_context(|| format!("cannot read {file}"))?;
        if file == "Cargo.toml" {
            content = manifest::with_registry(
                &String::from_utf8(content)?,
                workspace,
                Target::REHEARSAL.registry,
            )
            .into();
        }
        digest.update(format!("{file}\0{}\0", content.len()));
        digest.update(&content);
        fs::create_dir_all(to.parent().context("a file of the workspace has a folder")?)?;
        fs::write(&to, content)?;
    }
    Ok(format!("{:x}", digest.finalize()))
}
