//! `cargo xtask setup`: installs the third-party programs that the tests use, in the versions they were written against.
//!
//! System packages come from Debian's package manager when we may use it; everything else goes below `target/tools` and is ours alone.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};
use xshell::{Shell, cmd};

/// A Debian package, and a command that succeeds once it is there.
struct System {
    package: &'static str,
    probe: &'static [&'static str],
}

const SYSTEM: &[System] = &[
    System { package: "python3", probe: &["python3", "--version"] },
    System { package: "python3-venv", probe: &["python3", "-c", "import ensurepip, venv"] },
    System { package: "nodejs", probe: &["node", "--version"] },
    System { package: "npm", probe: &["npm", "--version"] },
    System { package: "nghttp2-client", probe: &["h2load", "--version"] },
    System { package: "e2fsprogs", probe: &["mkfs.ext4", "-V"] },
    System { package: "strace", probe: &["strace", "--version"] },
];

/// Python packages.
const PYTHON: &[&str] = &[
    "googleapis-common-protos==1.76.0",
    "grpcio==1.85.3",
    "grpcio-status==1.85.3",
    "jsonschema==4.26.0",
    "protobuf==7.36.2",
    "python-dotenv==1.2.4",
];

/// Node packages. undici 6 and write-file-atomic 6 are the newest ones for the Node.js 18 of Debian 12.
const NODE: &[&str] = &["ajv@8.20.0", "dotenv@18.0.10", "undici@6.29.1", "write-file-atomic@6.0.0"];

pub(crate) fn run(sh: &Shell) -> Result<()> {
    let missing = system(sh)?;
    let tools = testkit::tools_dir();
    let mut failed = Vec::new();
    let mut install = |name: &str,
                       wanted: &[&str],
                       install: fn(&Shell, &Path, &[&str]) -> Result<()>| {
        let dir = tools.join(name);
        match once(&dir, wanted, || install(sh, &dir, wanted)) {
            Ok(true) => println!("{name}: installed {} in {}", wanted.join(", "), dir.display()),
            Ok(false) => println!("{name}: all there"),
            Err(error) => {
                println!("{name}: failed: {error:#}");
                failed.push(name.to_owned());
            }
        }
    };
    install("python", PYTHON, python);
    install("node", NODE, node);
    if !missing.is_empty() {
        bail!(
            "not installed: {}; ask your package manager for them, or run this as root on Debian",
            missing.join(", ")
        );
    }
    if !failed.is_empty() {
        bail!("not installed: the packages for {}", failed.join(", "));
    }
    Ok(())
}

/// Installs what the probes miss, and returns what could not be installed.
fn system(sh: &Shell) -> Result<Vec<&'static str>> {
    let missing = probe(sh);
    if missing.is_empty() {
        println!("system: all there");
        return Ok(missing);
    }
    let is_root = cmd!(sh, "id -u").quiet().ignore_stderr().read().is_ok_and(|id| id == "0");
    if !is_root || testkit::program("apt-get").is_err() {
        println!("system: missing {}", missing.join(", "));
        return Ok(missing);
    }
    cmd!(sh, "apt-get update --quiet --quiet").run()?;
    let list = &missing;
    let command =
        cmd!(sh, "apt-get install --quiet --quiet --yes --no-install-recommends {list...}");
    command.env("DEBIAN_FRONTEND", "noninteractive").run()?;
    println!("system: installed {}", missing.join(", "));
    Ok(probe(sh))
}

fn probe(sh: &Shell) -> Vec<&'static str> {
    let succeeds = |command: &[&str]| {
        let (program, args) = (command[0], &command[1..]);
        cmd!(sh, "{program} {args...}").quiet().ignore_stdout().ignore_stderr().run().is_ok()
    };
    SYSTEM.iter().filter(|system| !succeeds(system.probe)).map(|system| system.package).collect()
}

fn python(sh: &Shell, dir: &Path, wanted: &[&str]) -> Result<()> {
    cmd!(sh, "python3 -m venv {dir}").run()?;
    let python = dir.join("bin/python");
    Ok(cmd!(sh, "{python} -m pip install --quiet --disable-pip-version-check {wanted...}").run()?)
}

fn node(sh: &Shell, dir: &Path, wanted: &[&str]) -> Result<()> {
    fs::create_dir_all(dir)?;
    Ok(cmd!(sh, "npm install --prefix {dir} --silent --no-audit --no-fund --no-save {wanted...}")
        .run()?)
}

/// Runs `install` unless `dir` says that exactly `wanted` was installed, and returns whether it ran.
fn once(dir: &Path, wanted: &[&str], install: impl FnOnce() -> Result<()>) -> Result<bool> {
    let stamp = dir.join("installed.txt");
    let wanted = wanted.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(false);
    }
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("cannot replace {}", dir.display()))?;
    }
    install()?;
    // Last, so that an interrupted installation is done again.
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, fs};

    use anyhow::bail;

    use super::once;

    #[test]
    fn same_list_is_installed_once_and_another_again() {
        let dir = testkit::workspace_root().join("target/xtask-tests/setup");
        let _ = fs::remove_dir_all(&dir);
        let ran = Cell::new(0);
        let install = |wanted: &[&str]| {
            once(&dir, wanted, || {
                ran.set(ran.get() + 1);
                Ok(fs::create_dir_all(&dir)?)
            })
        };
        assert!(install(&["a==1"]).expect("it installs"));
        assert!(!install(&["a==1"]).expect("it is there"));
        assert!(install(&["a==2"]).expect("it installs again"));
        assert_eq!(ran.get(), 2);
    }

    #[test]
    fn failed_installation_is_tried_again() {
        let dir = testkit::workspace_root().join("target/xtask-tests/setup-fails");
        let _ = fs::remove_dir_all(&dir);
        assert!(once(&dir, &["a==1"], || bail!("no network")).is_err());
        assert!(once(&dir, &["a==1"], || Ok(fs::create_dir_all(&dir)?)).expect("it installs"));
    }
}
