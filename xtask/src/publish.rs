//! Releases: the plan, its rehearsal, the real thing.
//!
//! Every crate has a version of its own, so the members to publish are those whose version the registry lacks, and running a
//! command again is how an interrupted one carries on.

mod build_dir;
pub(crate) mod checks;
mod consumer;
mod date;
mod home;
mod http;
mod limits;
mod manifest;
mod package;
mod plan;
mod readme;
mod registry;
mod rehearse;
mod release;
#[cfg(test)]
mod scratch;
mod stage;
mod target;
mod transcript;

use anyhow::{Result, ensure};
use xshell::Shell;

use crate::{flags, workspace::Workspace};

use self::{
    build_dir::BuildDir, checks::check, package::package, plan::Plan, registry::Temper,
    rehearse::rehearse, release::Release, target::Target,
};

impl flags::Publish {
    pub(crate) fn run(self, sh: &Shell) -> Result<()> {
        let workspace = Workspace::load(sh)?;
        let _root = sh.push_dir(&workspace.root);
        ensure!(
            self.rehearse || (self.delay.is_none() && self.throttle.is_none()),
            "--delay and --throttle go with --rehearse"
        );
        ensure!(
            u8::from(self.package) + u8::from(self.rehearse) + u8::from(self.execute) <= 1,
            "--package, --rehearse and --execute are one at a time; --execute packages by itself"
        );
        if self.package {
            package(sh, &workspace)
        } else if self.rehearse {
            let temper = Temper::harsh(self.delay.unwrap_or(0), self.throttle.unwrap_or(0));
            rehearse(sh, &workspace, temper)
        } else {
            release(sh, &workspace, self.execute)
        }
    }
}

/// Prints the plan and what stands in its way; then, if asked to, carries it out.
fn release(sh: &Shell, workspace: &Workspace, execute: bool) -> Result<()> {
    let plan = Plan::draw(sh, workspace, Target::PUBLIC)?;
    println!("{plan}");
    checks::report(&plan.problems())?;
    check(sh, workspace)?;
    if !execute {
        println!("Next: `cargo xtask publish --rehearse`, then `--execute`.");
        return Ok(());
    }

    let releases = plan.into_uploads()?;
    if releases.is_empty() {
        return Ok(());
    }
    package(sh, workspace)?;
    // What `package` built stands for versions that are not published yet; it must not stand in for those that are.
    let _build = BuildDir::enter(sh, workspace)?;
    let tags: Vec<String> = releases.iter().map(Release::tag).collect();
    Target::PUBLIC.upload(sh, releases)?;
    println!("Published. Share the tags: git push origin {}", tags.join(" "));
    Ok(())
}
