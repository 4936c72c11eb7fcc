//! The reference service as a file to run.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::workspace_root;

/// Builds `orders` with the profile of the running test, once, and returns its path.
///
/// # Panics
///
/// When it does not build.
pub fn orders() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(build)
}

fn build() -> PathBuf {
    // This test is `<target>/<profile>/deps/<name>`; whatever profile and target it has, the service gets the same.
    let test = env::current_exe().expect("a running program has a path");
    let profile =
        test.ancestors().nth(2).expect("cargo puts tests two levels below the target folder");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // The whole workspace with a test target, as `cargo xtask test` selects it: features are unified over what is selected, so
    // any narrower choice would compile every dependency a second time.
    cargo.args([
        "build",
        "--quiet",
        "--workspace",
        "--all-features",
        "--bin",
        "orders",
        "--test",
        "integration",
    ]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    if let Some(target) = profile.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    let status = cargo.current_dir(workspace_root()).status().expect("cargo starts");
    assert!(status.success(), "`orders` does not build: run `cargo build -p orders`");
    profile.join(format!("orders{}", env::consts::EXE_SUFFIX))
}
