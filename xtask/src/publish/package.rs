//! Every crate alone, built from its own tarball.

use std::time::Instant;

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::{
    publish::{
        checks::check,
        home::{Home, NOWHERE},
        plan,
        stage::Stage,
        target::Target,
        transcript::Transcript,
    },
    workspace::Workspace,
};

/// Packs every published crate, unpacks it, and builds it with nothing but the other tarballs and third-party crates beside it.
///
/// This happens in the copy, whose members ask for each other in a registry of ours: cargo lays the tarballs over that one, while
/// it cannot lay them over a public registry that a folder or a mirror stands in for.
pub(crate) fn package(sh: &Shell, workspace: &Workspace) -> Result<()> {
    let start = Instant::now();
    check(sh, workspace)?;
    let changed = plan::uncommitted(sh)?;
    if changed > 0 {
        println!("    Packing the tree as it is, uncommitted files: {changed}");
    }
    let stage = Stage::set(sh, workspace)?;
    let _copy = sh.push_dir(&stage.copy);
    let _home = Home::enter(sh, workspace, &format!("sparse+{NOWHERE}/"))?;
    let registry = Target::REHEARSAL.registry;
    let others = workspace.members.iter().filter(|member| !member.publish);
    let exclude = others.flat_map(|member| ["--exclude", &member.name]);
    Transcript::of(cmd!(
        sh,
        "cargo package --workspace {exclude...} --registry {registry} --offline"
    ))?
    .ok()?;
    println!(
        "    Built {} crates from their tarballs ({:.1} s)",
        workspace.published().count(),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::scratch::Scratch;

    #[test]
    fn a_change_that_breaks_a_dependent_is_seen_on_the_second_run() {
        let scratch = Scratch::new();
        package(&scratch.sh, &scratch.workspace()).expect("both crates build alone");

        scratch.edit("crates/base/src/lib.rs", "fn one()", "fn uno()");
        let error =
            package(&scratch.sh, &scratch.workspace()).expect_err("`one` is gone").to_string();
        assert!(error.contains("cannot find function `one` in crate `scratch_base`"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_packed_is_missed() {
        let scratch = Scratch::new();
        scratch.append(
            "crates/base/src/lib.rs",
            "pub const TEXT: &str = include_str!(\"text.txt\");\n",
        );
        scratch.write("crates/base/src/text.txt", "text");
        let error = package(&scratch.sh, &scratch.workspace())
            .expect_err("`include` names *.rs")
            .to_string();
        assert!(error.contains("couldn't read") && error.contains("text.txt"), "{error}");
    }
}
