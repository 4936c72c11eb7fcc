//! Programs that are not ours: found, never installed. `cargo xtask setup` installs.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::Skip;

const SETUP: &str = "`cargo xtask setup` installs it";

/// A program and the environment it needs to find its packages.
#[derive(Debug, Clone)]
pub struct Tool {
    program: PathBuf,
    env: Vec<(&'static str, PathBuf)>,
}

impl Tool {
    /// Starts a command line with this program.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Says whether the program answers `args` with exit code 0.
    fn accepts(&self, args: &[&str]) -> bool {
        let mut command = self.command();
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

/// Finds a Python 3 that has these distributions (the names that `pip install` takes).
///
/// # Errors
///
/// When neither the one under `target/tools` nor `python3` on the path has them all.
pub fn python(distributions: &[&str]) -> Result<Tool, Skip> {
    const HAS_ALL: &str =
        "import sys, importlib.metadata as m\nfor name in sys.argv[1:]: m.version(name)";
    let mut args = vec!["-c", HAS_ALL];
    args.extend(distributions);
    [tools_dir().join("python/bin/python"), PathBuf::from("python3")]
        .into_iter()
        .map(|program| Tool { program, env: Vec::new() })
        .find(|tool| tool.accepts(&args))
        .ok_or_else(|| missing("python3", distributions))
}

/// Finds a Node.js that can `require` these packages.
///
/// # Errors
///
/// When there is no `node` on the path, or it lacks one of the packages.
pub fn node(packages: &[&str]) -> Result<Tool, Skip> {
    let modules = tools_dir().join("node/node_modules");
    let tool = Tool { program: PathBuf::from("node"), env: vec![("NODE_PATH", modules)] };
    let mut args = vec!["-e", "process.argv.slice(1).forEach(name => require.resolve(name))", "--"];
    args.extend(packages);
    if tool.accepts(&args) { Ok(tool) } else { Err(missing("node", packages)) }
}

/// Finds a program on the path.
///
/// # Errors
///
/// When no folder of `PATH` holds a file of that name.
pub fn program(name: &str) -> Result<Tool, Skip> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .map(|program| Tool { program, env: Vec::new() })
        .ok_or_else(|| missing(name, &[]))
}

/// The folder where `cargo xtask setup` puts what is not a system package.
///
/// It stays under the workspace's own `target`, wherever cargo is told to build.
pub fn tools_dir() -> PathBuf {
    workspace_root().join("target/tools")
}

/// The folder of the workspace's manifest.
pub fn workspace_root() -> &'static Path {
    // `crates/testkit` is two levels down. `strip_suffix` keeps the path free of `..`.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

fn missing(program: &str, packages: &[&str]) -> Skip {
    match packages {
        [] => Skip::new(format!("no {program} ({SETUP})")),
        _ => Skip::new(format!("no {program} with {} ({SETUP})", packages.join(", "))),
    }
}
