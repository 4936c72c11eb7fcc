//! The outside user of a crate, who does what its README says.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::{
    publish::{manifest, readme::Readme, target::Target, transcript::Transcript},
    workspace::{Member, Workspace},
};

/// An example is short: one that takes longer does not end by itself.
const LONGEST_RUN: Duration = Duration::from_secs(60);

/// Builds what the README of `member` shows, in a folder of its own with our crates from the rehearsal's registry, and runs it.
pub(crate) fn consume(sh: &Shell, workspace: &Workspace, member: &Member) -> Result<()> {
    let file = member.folder(&workspace.root).join("README.md");
    let readme = Readme::parse(&fs::read_to_string(member.dir.join("README.md"))?);
    let start = Instant::now();
    let own = format!("{} = \"{}\"", member.name, member.version);
    let dependencies = match (&readme.manifest, &readme.program) {
        (Some(manifest), _) if manifest::names(manifest, &member.name) => manifest.clone(),
        // A helper sends its reader elsewhere, and still must resolve and build.
        (_, None) => format!("[dependencies]\n{own}\n"),
        (_, Some(_)) => bail!(
            "{} has a program but not what it needs: add a ```toml block with [dependencies] and `{own}`",
            file.display()
        ),
    };

    let dir = sh.create_temp_dir()?;
    let name = format!("consumer-of-{}", member.name);
    let dependencies =
        manifest::with_registry(&dependencies, workspace, Target::REHEARSAL.registry);
    // The empty [workspace] keeps cargo from looking for one further up.
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n{dependencies}"
    );
    let main = readme.program.as_ref().map_or("fn main() {}\n", |program| &program.text);
    sh.write_file(dir.path().join("Cargo.toml"), manifest)?;
    sh.write_file(dir.path().join("src/main.rs"), main)?;
    let _dir = sh.push_dir(dir.path());
    Transcript::of(cmd!(sh, "cargo build"))?
        .ok()
        .with_context(|| format!("the example of {} does not build", file.display()))?;

    let ran = readme.program.as_ref().is_some_and(|program| program.runs);
    if ran {
        let binary = Path::new(&sh.var("CARGO_TARGET_DIR")?).join("debug").join(&name);
        run(sh, &binary).with_context(|| format!("the example of {}", file.display()))?;
    }
    // Its folder has a new name each time, so nothing of it would ever be used again.
    cmd!(sh, "cargo clean --quiet -p {name}").quiet().run()?;
    let what = match (readme.program.is_some(), ran) {
        (true, true) => "built and ran its example",
        (true, false) => "built its example",
        (false, _) => "built it as a dependency, its README has no program",
    };
    println!(
        "    Consumed {} {}: {what} ({:.1} s)",
        member.name,
        member.version,
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Runs a program that is expected to end well, and soon.
fn run(sh: &Shell, binary: &Path) -> Result<()> {
    let output = sh.current_dir().join("output.txt");
    let out = File::create(&output)?;
    let mut child = Command::from(cmd!(sh, "{binary}"))
        .stdin(Stdio::null())
        .stderr(out.try_clone()?)
        .stdout(out)
        .spawn()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > LONGEST_RUN {
            child.kill()?;
            child.wait()?;
            bail!("did not end within {} s: mark its block `rust,no_run`", LONGEST_RUN.as_secs());
        }
        thread::sleep(Duration::from_millis(10));
    };
    let said = String::from_utf8_lossy(&fs::read(&output)?).into_owned();
    ensure!(status.success(), "ended with {status} and said:\n{said}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::consume;
    use crate::publish::scratch::Scratch;

    #[test]
    fn a_program_without_its_dependencies_is_an_error_that_says_what_to_add() {
        let scratch = Scratch::new();
        let workspace = scratch.workspace();
        let member = workspace.member("scratch-base").expect("a member");
        let complaint = |readme: &str| {
            scratch.write("crates/base/README.md", readme);
            consume(&scratch.sh, &workspace, member).expect_err("an incomplete README").to_string()
        };
        for readme in [
            "```rust\nfn main() {}\n```\n",
            "```toml\n[dependencies]\nother = \"1\"\n```\n```rust\nfn main() {}\n```\n",
        ] {
            let error = complaint(readme);
            let expected = "crates/base/README.md has a program but not what it needs: add a ```toml block with [dependencies] and \
                            `scratch-base = \"0.1.0\"`";
            assert_eq!(error, expected);
        }
    }
}
