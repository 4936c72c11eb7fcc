//! A cargo home of our own: what the user's holds must neither help nor spoil a rehearsal.

use std::fs;

use anyhow::Result;
use xshell::{PushEnv, Shell};

use crate::{publish::build_dir, workspace::Workspace};

/// Nothing listens here, so a request that must not leave the machine fails at once.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:1";

/// While it lives, cargo has a home that began empty but for a configuration: third-party crates come from the vendored folders,
/// ours from the registry `rehearsal`, and nothing leaves the machine.
#[derive(Debug)]
pub(crate) struct Home<'a> {
    _env: Vec<PushEnv<'a>>,
}

impl Home<'_> {
    /// `index` is the address of the registry's index.
    pub(crate) fn enter<'a>(sh: &'a Shell, workspace: &Workspace, index: &str) -> Result<Home<'a>> {
        let folder = build_dir::folder(workspace);
        let (home, vendor) = (folder.join("home"), folder.join("vendor"));
        if home.exists() {
            fs::remove_dir_all(&home)?;
        }
        let config = format!(
            "[source.crates-io]\nreplace-with = \"vendored\"\n\n[source.vendored]\ndirectory = {:?}\n\n\
             [registries.rehearsal]\nindex = {index:?}\n\n[http]\nproxy = {NOWHERE:?}\n",
            vendor.display().to_string(),
        );
        sh.write_file(home.join("config.toml"), config)?;
        let mut env = vec![
            sh.push_env("CARGO_HOME", home),
            sh.push_env("CARGO_NET_OFFLINE", "false"),
            sh.push_env("CARGO_REGISTRIES_REHEARSAL_TOKEN", "rehearsal"),
        ];
        // Build scripts and examples know these, and nothing of cargo's configuration.
        let proxies = ["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"];
        env.extend(proxies.map(|name| sh.push_env(name, NOWHERE)));
        env.extend(["no_proxy", "NO_PROXY"].map(|name| sh.push_env(name, "127.0.0.1")));
        Ok(Home { _env: env })
    }
}
