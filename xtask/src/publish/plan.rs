//! What a release would do, and what stands in its way.

use std::{fmt, time::SystemTime};

use anyhow::{Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::{
    publish::{
        date, limits,
        release::{self, Release},
        target::{Presence, Target},
    },
    workspace::Workspace,
};

/// All releases beside what git knows of them.
#[derive(Debug)]
pub(crate) struct Plan {
    rows: Vec<(Release, Tag)>,
    dirty: usize,
}

/// The tag of the present version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    Missing,
    Unchanged,
    /// Files of the crate differ from it.
    Changed,
}

impl Plan {
    pub(crate) fn draw(sh: &Shell, workspace: &Workspace, target: Target) -> Result<Plan> {
        let releases = Release::all(sh, workspace, target)?;
        let rows = releases
            .into_iter()
            .map(|release| {
                let tag = Tag::of(sh, &release)?;
                Ok((release, tag))
            })
            .collect::<Result<_>>()?;
        Ok(Plan { rows, dirty: uncommitted(sh)? })
    }

    /// What stands between this plan and its execution.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.rows.iter().filter_map(|(release, tag)| problem(release, *tag)).collect()
    }

    /// What is to be uploaded now, from a tree that can be found again.
    pub(crate) fn into_uploads(self) -> Result<Vec<Release>> {
        ensure!(self.dirty == 0, "uncommitted files: {}; commit or stash them first", self.dirty);
        release::unpublished(self.rows.into_iter().map(|(release, _)| release).collect())
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let releases = || self.rows.iter().map(|(release, _)| release);
        let width = releases().map(|release| release.name.len()).max().unwrap_or_default();
        let times = limits::schedule(releases().filter(|release| release.is_unpublished()));
        let mut turns = (1..).zip(&times);

        writeln!(f, "{:width$}  {:<9}  {:<32}  goes", "crate", "version", "state")?;
        for (release, tag) in &self.rows {
            let goes = match release.is_unpublished().then(|| turns.next()).flatten() {
                Some((turn, at)) if at.is_zero() => format!("{turn}, at once"),
                Some((turn, at)) => format!("{turn}, after {} min", at.as_secs() / 60),
                None => "-".to_owned(),
            };
            writeln!(
                f,
                "{:width$}  {:<9}  {:<32}  {goes}",
                release.name,
                release.version,
                state(&release.presence, *tag)
            )?;
        }

        writeln!(f)?;
        if let Some(reason) = releases().find_map(Release::unknown) {
            writeln!(f, "The registry did not answer, so what is published is unknown: {reason}")?;
        } else if let Some(last) = times.last() {
            let new = releases().filter(|release| release.presence == Presence::Nothing).count();
            writeln!(
                f,
                "{} to publish, {new} of them new: {} min under the registry's limits, until {} if started now.\n\
                 The limits: {}.",
                times.len(),
                last.as_secs() / 60,
                date::format(SystemTime::now() + *last),
                limits::describe(),
            )?;
        } else {
            writeln!(f, "Nothing to publish.")?;
        }
        if self.dirty > 0 {
            writeln!(f, "Uncommitted files: {}; `--execute` needs a clean tree.", self.dirty)?;
        }
        Ok(())
    }
}

impl Tag {
    fn of(sh: &Shell, release: &Release) -> Result<Tag> {
        let (tag, folder) = (release.tag(), &release.folder);
        if cmd!(sh, "git tag --list {tag}").quiet().read()?.is_empty() {
            return Ok(Tag::Missing);
        }
        // A yank is noted in the changelog of a version that stays as it is.
        let log = format!(":!{}/CHANGELOG.md", folder.display());
        let diff = cmd!(sh, "git diff --quiet {tag} -- {folder} {log}")
            .quiet()
            .ignore_status()
            .output()?;
        match diff.status.code() {
            Some(0) => Ok(Tag::Unchanged),
            Some(1) => Ok(Tag::Changed),
            _ => bail!(
                "cannot compare {} with its tag {tag}: {}",
                release.name,
                String::from_utf8_lossy(&diff.stderr)
            ),
        }
    }
}

/// How many files differ from the last commit, or are not in it.
pub(crate) fn uncommitted(sh: &Shell) -> Result<usize> {
    Ok(cmd!(sh, "git status --porcelain").quiet().read()?.lines().count())
}

fn state(presence: &Presence, tag: Tag) -> &'static str {
    match (presence, tag) {
        (_, Tag::Changed) => "changed since its tag: must bump",
        (Presence::Unknown(_), _) => "unknown",
        (Presence::ThisVersion, Tag::Unchanged) => "published",
        (Presence::ThisVersion, Tag::Missing) => "published, tag missing",
        (_, Tag::Unchanged) => "tagged, not in the registry",
        (Presence::OtherVersions, Tag::Missing) => "unpublished version",
        (Presence::Nothing, Tag::Missing) => "unpublished crate",
    }
}

fn problem(release: &Release, tag: Tag) -> Option<String> {
    let Release { name, version, folder, presence } = release;
    let (name_of_tag, folder) = (release.tag(), folder.display());
    match (presence, tag) {
        (_, Tag::Changed) => Some(format!(
            "{name} has changed since its tag {name_of_tag}: raise the version in {folder}/Cargo.toml and in \
             [workspace.dependencies], and head its changelog entry with it (what changed: git diff {name_of_tag} -- {folder})"
        )),
        (Presence::ThisVersion, Tag::Missing) => Some(format!(
            "{name} {version} is published but has no tag: find the commit it was made from, then `git tag {name_of_tag} COMMIT` \
             (the tarball's .cargo_vcs_info.json names it)"
        )),
        (Presence::OtherVersions | Presence::Nothing, Tag::Unchanged) => Some(format!(
            "{name} {version} has the tag {name_of_tag} but is not in the registry: wait a minute if it was just uploaded, raise \
             the version if it was yanked, else `git tag --delete {name_of_tag}`"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::{
        home::Home,
        registry::{Registry, Temper},
        scratch::Scratch,
    };

    /// The plan of `scratch` against a registry that holds nothing.
    fn plan(scratch: &Scratch) -> Plan {
        let shelf = scratch.sh.create_temp_dir().expect("a temp folder");
        let registry = Registry::open(shelf.path(), Temper::default()).expect("a registry");
        let _home =
            Home::enter(&scratch.sh, &scratch.workspace(), &registry.index()).expect("a home");
        Plan::draw(&scratch.sh, &scratch.workspace(), Target::REHEARSAL).expect("a plan")
    }

    #[test]
    fn the_plan_names_state_and_order() {
        let scratch = Scratch::new();
        let plan = plan(&scratch);
        let text = plan.to_string();
        let rows: Vec<String> = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(rows[1], "scratch-base 0.1.0 unpublished crate 1, at once");
        assert_eq!(rows[2], "scratch-app 0.2.0 unpublished crate 2, at once");
        assert!(
            text.contains("2 to publish, 2 of them new: 0 min under the registry's limits"),
            "{text}"
        );
        assert_eq!(plan.problems(), [""; 0]);
        plan.into_uploads().expect("the tree is clean and the registry answers");
    }

    #[test]
    fn changed_but_not_bumped_is_an_error() {
        let scratch = Scratch::new();
        scratch.run("git tag scratch-base-v0.1.0");
        scratch.edit("crates/base/CHANGELOG.md", "First release.", "First release, yanked.");
        scratch.commit();
        let tag = |scratch: &Scratch| {
            let plan = plan(scratch);
            (plan.rows[0].1, plan.problems())
        };
        assert_eq!(tag(&scratch).0, Tag::Unchanged, "a note in the changelog is no change");

        scratch.edit("crates/base/src/lib.rs", "{ 1 }", "{ 3 }");
        let (tag, problems) = tag(&scratch);
        assert_eq!(tag, Tag::Changed);
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        assert!(
            problem.contains(
                "scratch-base has changed since its tag scratch-base-v0.1.0: raise the version in"
            ),
            "{problem}"
        );
        assert!(
            problem.contains("crates/base/Cargo.toml and in [workspace.dependencies]"),
            "{problem}"
        );
    }

    #[test]
    fn a_tag_without_its_version_and_a_version_without_its_tag_are_errors() {
        let mut release = Release {
            name: "it".to_owned(),
            version: "0.1.0".to_owned(),
            folder: "crates/it".into(),
            presence: Presence::Nothing,
        };
        assert_eq!(problem(&release, Tag::Missing), None);
        assert!(
            problem(&release, Tag::Unchanged)
                .is_some_and(|text| text.contains("git tag --delete it-v0.1.0"))
        );
        release.presence = Presence::ThisVersion;
        assert_eq!(problem(&release, Tag::Unchanged), None);
        assert!(
            problem(&release, Tag::Missing)
                .is_some_and(|text| text.contains("git tag it-v0.1.0 COMMIT"))
        );
    }

    #[test]
    fn a_silent_registry_is_not_taken_for_an_empty_one() {
        let scratch = Scratch::new();
        let shelf = scratch.sh.create_temp_dir().expect("a temp folder");
        let registry = Registry::open(shelf.path(), Temper::default()).expect("a registry");
        let _home =
            Home::enter(&scratch.sh, &scratch.workspace(), &registry.index()).expect("a home");
        let _retry = scratch.sh.push_env("CARGO_NET_RETRY", "0");
        drop(registry);
        let plan =
            Plan::draw(&scratch.sh, &scratch.workspace(), Target::REHEARSAL).expect("a plan");
        assert!(plan.rows.iter().all(|(release, _)| release.unknown().is_some()), "{plan}");
        assert!(
            plan.to_string()
                .contains("The registry did not answer, so what is published is unknown:"),
            "{plan}"
        );
        let error = plan.into_uploads().expect_err("nobody knows what to publish").to_string();
        assert!(error.contains("the registry did not answer"), "{error}");
    }

    #[test]
    fn a_registry_that_cargo_did_not_ask_is_not_taken_for_an_empty_one() {
        let scratch = Scratch::new();
        let _offline = scratch.sh.push_env("CARGO_NET_OFFLINE", "true");
        let plan = Plan::draw(&scratch.sh, &scratch.workspace(), Target::PUBLIC).expect("a plan");
        assert!(plan.to_string().contains("cargo asked no index, is it offline"), "{plan}");
        plan.into_uploads().expect_err("nobody knows what to publish");
    }

    #[test]
    fn a_dirty_tree_is_not_released() {
        let scratch = Scratch::new();
        scratch.write("stray.txt", "");
        let plan = plan(&scratch);
        assert!(
            plan.to_string().contains("Uncommitted files: 1; `--execute` needs a clean tree."),
            "{plan}"
        );
        let error = plan.into_uploads().expect_err("one file is not committed").to_string();
        assert!(error.contains("uncommitted files: 1; commit or stash them first"), "{error}");
    }
}
