//! The folder in which tarballs are built, and why it forgets our own crates each time.

use std::{
    fs::{self, File},
    path::PathBuf,
};

use anyhow::{Context as _, Result};
use xshell::{PushEnv, Shell, cmd};

use crate::workspace::Workspace;

/// Everything a release writes, below the root of the workspace.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.root.join("target/publish")
}

/// While it lives, cargo builds in a folder that tarballs, the rehearsal and its consumers share, so that third-party crates are
/// compiled once; and no other release command works in this tree.
///
/// Cargo takes a crate that comes from a registry for unchangeable: for the same name and version it reuses the build of
/// yesterday's source. That is false for a version we are still working on, so our own crates are cleaned on entry.
#[derive(Debug)]
pub(crate) struct BuildDir<'a> {
    _env: [PushEnv<'a>; 3],
    _lock: File,
}

impl BuildDir<'_> {
    pub(crate) fn enter<'a>(sh: &'a Shell, workspace: &Workspace) -> Result<BuildDir<'a>> {
        let folder = folder(workspace);
        fs::create_dir_all(&folder)?;
        let lock = File::create(folder.join("lock"))?;
        lock.try_lock().context("another release command works in this tree: wait for it")?;
        let env = [
            sh.push_env("CARGO_TARGET_DIR", folder.join("build")),
            // A tarball leaves the workspace's profiles behind. These builds are neither debugged nor changed in small steps.
            sh.push_env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only"),
            sh.push_env("CARGO_INCREMENTAL", "0"),
        ];
        let packages = workspace.published().flat_map(|member| ["-p", &member.name]);
        cmd!(sh, "cargo clean --quiet --offline {packages...}").quiet().run()?;
        Ok(BuildDir { _env: env, _lock: lock })
    }
}
