//! What must hold before a crate may leave: each rule a function, each finding a sentence that says what to do.

use std::{fs, path::Path};

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

use crate::workspace::{Kind, Member, Workspace};

/// Folders and files that belong in a tarball; cargo adds the last four itself.
const WELCOME: [&str; 10] = [
    "src",
    "tests",
    "examples",
    "README.md",
    "CHANGELOG.md",
    "build.rs",
    "Cargo.toml",
    "Cargo.toml.orig",
    "Cargo.lock",
    ".cargo_vcs_info.json",
];

/// Files that every tarball must have.
const REQUIRED: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"];

/// All rules over all published members.
pub(crate) fn check(sh: &Shell, workspace: &Workspace) -> Result<()> {
    let mut findings = Vec::new();
    for member in workspace.published() {
        findings.extend(requirements(workspace, member));
        findings.extend(dev_dependencies(member));
        findings.extend(unpublished_dependencies(workspace, member));
        let path = member.folder(&workspace.root).join("CHANGELOG.md");
        let text = fs::read_to_string(member.dir.join("CHANGELOG.md")).unwrap_or_default();
        findings.extend(changelog(&path.display().to_string(), &text, &member.version));
        findings.extend(missing_files(workspace, member));
        findings.extend(unwelcome_files(sh, workspace, member)?);
    }
    report(&findings)
}

/// An error that lists every finding.
pub(crate) fn report(findings: &[String]) -> Result<()> {
    match findings {
        [] => Ok(()),
        [finding] => bail!("{finding}"),
        _ => bail!(
            "{} things to do before a release:\n  - {}",
            findings.len(),
            findings.join("\n  - ")
        ),
    }
}

/// On a path every requirement builds; users get what the requirement says, so it says what was built.
fn requirements(workspace: &Workspace, member: &Member) -> Vec<String> {
    let internal = member.dependencies.iter().filter(|dependency| dependency.kind != Kind::Dev);
    internal
        .filter_map(|dependency| Some((dependency, workspace.member(&dependency.name)?)))
        .filter(|(dependency, sibling)| sibling.publish && dependency.requirement != format!("^{}", sibling.version))
        .map(|(dependency, sibling)| {
            format!(
                "{} requires {} `{}`, which is not the present version: write `version = \"{}\"` in [workspace.dependencies]",
                member.name, sibling.name, dependency.requirement, sibling.version
            )
        })
        .collect()
}

/// A dev-dependency with a version stays in the published manifest, where a circle of them can never be uploaded.
pub(crate) fn dev_dependencies(member: &Member) -> Vec<String> {
    let dev = member.dependencies.iter().filter(|dependency| dependency.kind == Kind::Dev);
    dev.filter(|dependency| dependency.path.is_some() && dependency.requirement != "*")
        .map(|dependency| {
            format!(
                "{} has a dev-dependency on {} with a version, which a published manifest keeps: write the path alone, \
                 `{} = {{ path = \"...\" }}`, not `workspace = true`",
                member.name, dependency.name, dependency.name
            )
        })
        .collect()
}

fn unpublished_dependencies(workspace: &Workspace, member: &Member) -> Vec<String> {
    let needed = member.dependencies.iter().filter(|dependency| dependency.kind != Kind::Dev);
    needed
        .filter(|dependency| workspace.member(&dependency.name).is_some_and(|sibling| !sibling.publish))
        .map(|dependency| {
            format!(
                "{} depends on {}, which is never published: make it a dev-dependency, or copy what is needed of it",
                member.name, dependency.name
            )
        })
        .collect()
}

/// Exactly one heading `## 1.2.3 - 2026-11-24` for the present version.
pub(crate) fn changelog(path: &str, text: &str, version: &str) -> Option<String> {
    let headings = text.lines().filter_map(|line| line.strip_prefix("## ")?.strip_prefix(version));
    let headings: Vec<&str> =
        headings.filter(|rest| rest.is_empty() || rest.starts_with(' ')).collect();
    match headings[..] {
        [rest] if rest.strip_prefix(" - ").is_some_and(is_date) => None,
        [_] => Some(format!(
            "{path}: the heading of {version} has no date: write `## {version} - YYYY-MM-DD`"
        )),
        [] => Some(format!(
            "{path} has no entry for {version}: head what is under [Unreleased] with `## {version} - YYYY-MM-DD`"
        )),
        _ => Some(format!("{path} has {} headings for {version}: keep one", headings.len())),
    }
}

fn is_date(text: &str) -> bool {
    let text = text.trim_end();
    text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(i, byte)| if matches!(i, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() })
}

/// Licences are links in the tree and files in the tarball; a link that leads nowhere is no file.
fn missing_files(workspace: &Workspace, member: &Member) -> Vec<String> {
    let folder = member.folder(&workspace.root);
    let missing = REQUIRED.iter().filter(|name| !member.dir.join(name).is_file());
    missing
        .map(|name| {
            let file = folder.join(name).display().to_string();
            if name.starts_with("LICENSE") {
                format!("{file} is missing or leads nowhere: ln -sf ../../{name} {file}")
            } else {
                format!("{file} is missing: write it")
            }
        })
        .collect()
}

/// Everything in a tarball is downloaded by every user, and can never be taken back.
fn unwelcome_files(sh: &Shell, workspace: &Workspace, member: &Member) -> Result<Vec<String>> {
    let name = &member.name;
    let list = cmd!(sh, "cargo package --list --allow-dirty --quiet -p {name}").quiet().read()?;
    let folder = member.folder(&workspace.root);
    let unwelcome = list.lines().filter(|file| !is_welcome(Path::new(file)));
    let mut findings: Vec<String> = unwelcome
        .map(|file| {
            format!(
                "{}/{file} would be published: delete it, or narrow `include` in the manifest",
                folder.display()
            )
        })
        .collect();
    let left_out = REQUIRED
        .iter()
        .filter(|name| member.dir.join(name).is_file() && !list.lines().any(|file| file == **name));
    findings.extend(left_out.map(|name| {
        format!("{}/{name} would not be published: add it to `include`", folder.display())
    }));
    Ok(findings)
}

fn is_welcome(file: &Path) -> bool {
    let first = file.iter().next().and_then(|first| first.to_str()).unwrap_or_default();
    WELCOME.contains(&first) || REQUIRED.contains(&first)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::check;
    use crate::publish::scratch::Scratch;

    #[test]
    fn an_orderly_workspace_passes() {
        let scratch = Scratch::new();
        check(&scratch.sh, &scratch.workspace()).expect("nothing is wrong");
    }

    #[test]
    fn a_requirement_differs_from_the_version() {
        let scratch = Scratch::new();
        scratch.edit("crates/base/Cargo.toml", "version = \"0.1.0\"", "version = \"0.1.1\"");
        scratch.edit("crates/base/CHANGELOG.md", "## 0.1.0 -", "## 0.1.1 -");
        let complaint = scratch.complaint();
        assert!(complaint.contains("scratch-app requires scratch-base `^0.1.0`"), "{complaint}");
        assert!(
            complaint.contains("write `version = \"0.1.1\"` in [workspace.dependencies]"),
            "{complaint}"
        );
    }

    #[test]
    fn a_dev_dependency_inherits_a_version() {
        let scratch = Scratch::new();
        let manifest = "crates/base/Cargo.toml";
        scratch.append(manifest, "\n[dev-dependencies]\nscratch-app = { workspace = true }\n");
        let complaint = scratch.complaint();
        assert!(
            complaint.contains("scratch-base has a dev-dependency on scratch-app with a version"),
            "{complaint}"
        );

        scratch.edit(manifest, "{ workspace = true }", "{ path = \"../app\" }");
        check(&scratch.sh, &scratch.workspace()).expect("a path alone is right");
    }

    #[test]
    fn a_published_crate_needs_an_unpublished_one() {
        let scratch = Scratch::new();
        scratch.append("crates/app/Cargo.toml", "helper = { path = \"../helper\" }\n");
        let complaint = scratch.complaint();
        assert!(
            complaint.contains("scratch-app depends on helper, which is never published"),
            "{complaint}"
        );
    }

    #[test]
    fn the_changelog_has_no_entry_for_the_version() {
        let scratch = Scratch::new();
        scratch.edit(
            "crates/app/CHANGELOG.md",
            "## 0.2.0 - 2026-11-24",
            "## 0.2.0-rc.1 - 2026-11-24",
        );
        let complaint = scratch.complaint();
        assert!(
            complaint.contains("crates/app/CHANGELOG.md has no entry for 0.2.0"),
            "{complaint}"
        );
    }

    #[test]
    fn the_changelog_has_two_entries_for_the_version() {
        let scratch = Scratch::new();
        scratch.edit("crates/app/CHANGELOG.md", "## [Unreleased]", "## 0.2.0 - 2026-11-25");
        let complaint = scratch.complaint();
        assert!(
            complaint.contains("crates/app/CHANGELOG.md has 2 headings for 0.2.0"),
            "{complaint}"
        );
    }

    #[test]
    fn the_changelog_entry_has_no_date() {
        let scratch = Scratch::new();
        scratch.edit("crates/app/CHANGELOG.md", "## 0.2.0 - 2026-11-24", "## 0.2.0");
        let complaint = scratch.complaint();
        assert!(complaint.contains("write `## 0.2.0 - YYYY-MM-DD`"), "{complaint}");
    }

    #[test]
    fn a_stray_file_would_be_published() {
        let scratch = Scratch::new();
        scratch.edit("crates/base/Cargo.toml", "include = [", "include = [\"notes/*\", ");
        scratch.write("crates/base/notes/todo.txt", "");
        let complaint = scratch.complaint();
        assert!(complaint.contains("crates/base/notes/todo.txt would be published"), "{complaint}");
    }

    #[test]
    fn a_required_file_is_left_out() {
        let scratch = Scratch::new();
        scratch.edit("crates/base/Cargo.toml", ", \"CHANGELOG.md\"", "");
        let complaint = scratch.complaint();
        assert!(
            complaint.contains("crates/base/CHANGELOG.md would not be published"),
            "{complaint}"
        );
    }

    #[test]
    fn a_licence_leads_nowhere() {
        let scratch = Scratch::new();
        fs::remove_file(scratch.sh.current_dir().join("LICENSE-MIT")).expect("a licence");
        let complaint = scratch.complaint();
        assert!(
            complaint.contains("crates/base/LICENSE-MIT is missing or leads nowhere: ln -sf"),
            "{complaint}"
        );
    }

    #[test]
    fn all_findings_come_at_once() {
        let scratch = Scratch::new();
        scratch.edit("crates/base/CHANGELOG.md", "2026-11-24", "today");
        scratch.edit("crates/app/CHANGELOG.md", "2026-11-24", "today");
        assert!(
            scratch.complaint().starts_with("2 things to do before a release:"),
            "{}",
            scratch.complaint()
        );
    }
}
