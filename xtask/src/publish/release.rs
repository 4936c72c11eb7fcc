//! A member that is to be published, and the order in which they go.

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use xshell::Shell;

use crate::{
    publish::target::{Presence, Target},
    workspace::{Kind, Member, Workspace},
};

/// A member at its present version, as one registry sees it.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Below the root of the workspace.
    pub(crate) folder: PathBuf,
    pub(crate) presence: Presence,
}

impl Release {
    /// The published members in the order in which they can go, every one after what it depends on.
    pub(crate) fn all(sh: &Shell, workspace: &Workspace, target: Target) -> Result<Vec<Release>> {
        let mut releases: Vec<Release> = Vec::new();
        for member in in_order(workspace)? {
            // A server that is down is asked once: cargo takes ten seconds to give up.
            let presence = match releases.last() {
                Some(Release { presence: down @ Presence::Unknown(_), .. }) => down.clone(),
                _ => target.presence(sh, &member.name, &member.version)?,
            };
            releases.push(Release {
                name: member.name.clone(),
                version: member.version.clone(),
                folder: member.folder(&workspace.root).to_owned(),
                presence,
            });
        }
        Ok(releases)
    }

    pub(crate) fn is_unpublished(&self) -> bool {
        matches!(self.presence, Presence::Nothing | Presence::OtherVersions)
    }

    /// Why the registry could not be asked.
    pub(crate) fn unknown(&self) -> Option<&str> {
        match &self.presence {
            Presence::Unknown(reason) => Some(reason),
            _ => None,
        }
    }

    /// The name of its tag in git.
    pub(crate) fn tag(&self) -> String {
        format!("{}-v{}", self.name, self.version)
    }

    /// What cargo writes once the registry has taken it.
    pub(crate) fn uploaded_line(&self) -> String {
        format!("Uploaded {} v{} ", self.name, self.version)
    }
}

/// Those that the registry lacks, which must be known of each.
pub(crate) fn unpublished(mut releases: Vec<Release>) -> Result<Vec<Release>> {
    if let Some(reason) = releases.iter().find_map(Release::unknown) {
        bail!("the registry did not answer, so what is published is unknown: {reason}");
    }
    releases.retain(Release::is_unpublished);
    Ok(releases)
}

/// Every published member after its own dependencies; by name where there is a choice.
fn in_order(workspace: &Workspace) -> Result<Vec<&Member>> {
    let mut waiting: Vec<&Member> = workspace.published().collect();
    let mut order = Vec::new();
    while let Some(next) = waiting.iter().position(|member| {
        let mut needs =
            member.dependencies.iter().filter(|dependency| dependency.kind != Kind::Dev);
        needs.all(|dependency| waiting.iter().all(|other| other.name != dependency.name))
    }) {
        order.push(waiting.remove(next));
    }
    let names: Vec<&str> = waiting.iter().map(|member| member.name.as_str()).collect();
    ensure!(
        names.is_empty(),
        "these crates depend on each other in a circle, so none can go first: {}",
        names.join(", ")
    );
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::scratch::Scratch;

    #[test]
    fn a_crate_goes_after_what_it_depends_on() {
        let scratch = Scratch::new();
        let workspace = scratch.workspace();
        let names = |workspace: &Workspace| {
            in_order(workspace)
                .map(|order| order.iter().map(|member| member.name.clone()).collect::<Vec<_>>())
        };
        assert_eq!(names(&workspace).expect("an order"), ["scratch-base", "scratch-app"]);

        scratch.append(
            "crates/base/Cargo.toml",
            "\n[dev-dependencies]\nscratch-app = { path = \"../app\" }\n",
        );
        assert_eq!(
            names(&scratch.workspace()).expect("dev-dependencies do not count"),
            ["scratch-base", "scratch-app"]
        );

        scratch.edit("crates/base/Cargo.toml", "[dev-dependencies]", "[dependencies]");
        let error = names(&scratch.workspace()).expect_err("a circle has no order").to_string();
        assert!(
            error.contains("in a circle, so none can go first: scratch-app, scratch-base"),
            "{error}"
        );
    }
}
