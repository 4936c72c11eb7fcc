//! The members as `cargo metadata` sees them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;
use xshell::{Shell, cmd};

/// All members, in the order of their names.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) members: Vec<Member>,
}

/// One member.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: String,
    /// The folder of its manifest, absolute.
    pub(crate) dir: PathBuf,
    pub(crate) publish: bool,
    pub(crate) features: Vec<String>,
    pub(crate) keywords: Vec<String>,
    /// The names of its test targets: `it` for nearly all.
    pub(crate) tests: Vec<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a member's dependency tables.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) requirement: String,
    pub(crate) kind: Kind,
    /// Present where the dependency is a folder of this workspace.
    pub(crate) path: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

impl Workspace {
    /// Loads the workspace that the shell's current folder belongs to.
    pub(crate) fn load(sh: &Shell) -> Result<Workspace> {
        let json =
            cmd!(sh, "cargo metadata --no-deps --format-version 1 --quiet").quiet().read()?;
        let metadata: Value = serde_json::from_str(&json)?;
        let mut members = metadata["packages"]
            .as_array()
            .context("cargo metadata lists no packages")?
            .iter()
            .map(Member::from_metadata)
            .collect::<Result<Vec<_>>>()?;
        members.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Workspace { root: text(&metadata, "workspace_root")?.into(), members })
    }

    /// The members that go to the registry.
    pub(crate) fn published(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.publish)
    }

    /// Finds a member by its package name, or without the `underpin-`, and lists what there is when there is none.
    pub(crate) fn find(&self, name: &str) -> Result<&Member> {
        let full = format!("underpin-{name}");
        self.member(name).or_else(|| self.member(&full)).with_context(|| {
            let names: Vec<&str> = self.members.iter().map(|member| member.name.as_str()).collect();
            format!("no package `{name}`; there are {}", names.join(", "))
        })
    }

    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }
}

impl Member {
    fn from_metadata(package: &Value) -> Result<Member> {
        let manifest = PathBuf::from(text(package, "manifest_path")?);
        let mut features: Vec<String> = package["features"]
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys().cloned())
            .collect();
        features.sort();
        let targets = package["targets"].as_array().into_iter().flatten();
        Ok(Member {
            name: text(package, "name")?,
            version: text(package, "version")?,
            description: package["description"].as_str().unwrap_or_default().to_owned(),
            dir: manifest.parent().unwrap_or(Path::new("/")).to_owned(),
            // `publish = false` is an empty list of registries; absent means any.
            publish: package["publish"].as_array().is_none_or(|registries| !registries.is_empty()),
            features,
            keywords: strings(&package["keywords"]),
            tests: targets
                .filter(|target| target["kind"][0] == "test")
                .filter_map(|target| target["name"].as_str().map(str::to_owned))
                .collect(),
            dependencies: package["dependencies"]
                .as_array()
                .into_iter()
                .flatten()
                .map(Dependency::from_metadata)
                .collect::<Result<_>>()?,
        })
    }

    /// The folder below `root`, as the layer table and git name it.
    pub(crate) fn folder<'a>(&'a self, root: &Path) -> &'a Path {
        self.dir.strip_prefix(root).unwrap_or(&self.dir)
    }
}

impl Dependency {
    fn from_metadata(dependency: &Value) -> Result<Dependency> {
        Ok(Dependency {
            name: text(dependency, "name")?,
            requirement: text(dependency, "req")?,
            kind: match dependency["kind"].as_str() {
                None => Kind::Normal,
                Some("build") => Kind::Build,
                Some(_) => Kind::Dev,
            },
            path: dependency["path"].as_str().map(PathBuf::from),
        })
    }
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

fn text(value: &Value, key: &str) -> Result<String> {
    Ok(value[key].as_str().with_context(|| format!("cargo metadata has no `{key}`"))?.to_owned())
}
