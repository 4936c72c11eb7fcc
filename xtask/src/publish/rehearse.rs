//! The dress rehearsal: everything a release does, on loopback, with the network cut off.

use std::{fs, path::Path, time::Instant};

use anyhow::Result;
use xshell::Shell;

use crate::{
    publish::{
        build_dir,
        checks::check,
        consumer::consume,
        home::Home,
        registry::{Registry, Temper},
        release::{self, Release},
        stage::Stage,
        target::Target,
    },
    workspace::Workspace,
};

/// Publishes every crate to a registry on loopback, then builds the example of every README from there.
///
/// An interrupted rehearsal is carried on by the next one, unless the sources have changed in between.
pub(crate) fn rehearse(sh: &Shell, workspace: &Workspace, temper: Temper) -> Result<()> {
    let start = Instant::now();
    check(sh, workspace)?;
    let stage = Stage::set(sh, workspace)?;
    let shelf = build_dir::folder(workspace).join("registry");
    prepare_shelf(&shelf, &stage.digest)?;
    let registry = Registry::open(&shelf, temper)?;

    publish(sh, workspace, &stage, &registry)?;
    // A second home: whatever publishing left in the first must not help.
    let _home = Home::enter(sh, workspace, &registry.index())?;
    for member in workspace.published() {
        consume(sh, workspace, member)?;
    }

    println!(
        "    Rehearsed: {} uploads, {} consumers ({:.1} s)",
        registry.accepted().len(),
        workspace.published().count(),
        start.elapsed().as_secs_f64()
    );
    // The next rehearsal begins anew.
    drop(registry);
    Ok(fs::remove_dir_all(&shelf)?)
}

/// Uploads from the copy what the registry lacks.
fn publish(
    sh: &Shell,
    workspace: &Workspace,
    stage: &Stage<'_>,
    registry: &Registry,
) -> Result<()> {
    let _copy = sh.push_dir(&stage.copy);
    let _home = Home::enter(sh, workspace, &registry.index())?;
    let releases = Release::all(sh, workspace, Target::REHEARSAL)?;
    let count = releases.len();
    let left = release::unpublished(releases)?;
    if left.len() < count {
        let held = count - left.len();
        println!("    Resuming: {held} of {count} crates were uploaded before the interruption");
    }
    Target::REHEARSAL.upload(sh, left)
}

/// Keeps what an interrupted rehearsal uploaded, if it was made of the same sources.
fn prepare_shelf(shelf: &Path, digest: &str) -> Result<()> {
    let stamp = shelf.join("sources.sha256");
    if fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == digest) {
        return Ok(());
    }
    if shelf.exists() {
        fs::remove_dir_all(shelf)?;
    }
    fs::create_dir_all(shelf)?;
    Ok(fs::write(stamp, digest)?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use xshell::cmd;

    use super::*;
    use crate::publish::scratch::Scratch;

    const DAY: Duration = Duration::from_secs(86_400);

    /// The publishing half of a rehearsal, and what the registry took.
    fn publish_to(scratch: &Scratch, shelf: &Path, temper: Temper) -> (Result<()>, Vec<String>) {
        let workspace = scratch.workspace();
        let stage = Stage::set(&scratch.sh, &workspace).expect("a copy");
        let registry = Registry::open(shelf, temper).expect("a registry");
        let result = publish(&scratch.sh, &workspace, &stage, &registry);
        (result, registry.accepted())
    }

    #[test]
    fn a_refusal_in_the_middle_keeps_the_first_and_the_next_run_uploads_the_rest() {
        let scratch = Scratch::new();
        let shelf = scratch.sh.create_temp_dir().expect("a temp folder");
        let refusing = Temper { throttle: 1, retry_after: DAY, ..Temper::default() };
        let (result, accepted) = publish_to(&scratch, shelf.path(), refusing);
        let error = result.expect_err("a day is too long to wait").to_string();
        assert!(error.contains("the registry takes no upload until"), "{error}");
        assert_eq!(accepted, ["scratch-base@0.1.0"]);

        let (result, accepted) = publish_to(&scratch, shelf.path(), Temper::default());
        result.expect("the second run carries on");
        assert_eq!(accepted, ["scratch-app@0.2.0"]);

        let (result, accepted) = publish_to(&scratch, shelf.path(), Temper::default());
        result.expect("the third run has nothing to do");
        assert_eq!(accepted, [""; 0]);
    }

    #[test]
    fn a_real_upload_leaves_a_tag() {
        let scratch = Scratch::new();
        let (sh, workspace) = (&scratch.sh, scratch.workspace());
        let shelf = sh.create_temp_dir().expect("a temp folder");
        let registry = Registry::open(shelf.path(), Temper::default()).expect("a registry");
        let _stage = Stage::set(sh, &workspace).expect("something vendored");
        let _home = Home::enter(sh, &workspace, &registry.index()).expect("a home");
        let real = Target { tags: true, ..Target::REHEARSAL };
        let mut releases = Release::all(sh, &workspace, real).expect("an order");
        releases.truncate(1);
        real.upload(sh, releases).expect("an upload");
        let tags = cmd!(sh, "git tag").quiet().read().expect("tags");
        assert_eq!(tags, "scratch-base-v0.1.0");
    }

    #[test]
    fn a_rehearsal_survives_a_lagging_index_and_a_short_refusal() {
        let scratch = Scratch::new();
        let workspace = scratch.workspace();
        rehearse(&scratch.sh, &workspace, Temper::harsh(1, 1)).expect("a rehearsal");
        let shelf = build_dir::folder(&workspace).join("registry");
        assert!(!shelf.exists(), "a rehearsal that is done leaves nothing to resume");
    }

    #[test]
    fn an_example_that_fails_ends_the_rehearsal_and_a_changed_source_begins_it_anew() {
        let scratch = Scratch::new();
        let workspace = scratch.workspace();
        let readme = "crates/app/README.md";
        scratch.edit(readme, "use scratch_app as _;", "assert_eq!(scratch_app::two(), 3);");
        let error = rehearse(&scratch.sh, &workspace, Temper::default()).expect_err("2 is not 3");
        let error = format!("{error:#}");
        assert!(error.contains("crates/app/README.md: ended with exit status: 101"), "{error}");

        // Name and version stay, so yesterday's build of it must not be found.
        scratch.edit("crates/base/src/lib.rs", "{ 1 }", "{ 7 }");
        scratch.edit(readme, "two(), 3", "two(), 14");
        rehearse(&scratch.sh, &workspace, Temper::default()).expect("the new source");
    }

    #[test]
    fn uploads_of_other_sources_are_not_resumed() {
        let scratch = Scratch::new();
        let shelf = scratch.sh.current_dir().join("shelf");
        prepare_shelf(&shelf, "one").expect("a folder");
        scratch.write("shelf/upload", "");
        prepare_shelf(&shelf, "one").expect("a folder");
        assert!(shelf.join("upload").exists());
        prepare_shelf(&shelf, "two").expect("a folder");
        assert!(!shelf.join("upload").exists());
    }
}
