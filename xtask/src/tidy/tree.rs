//! Everything the rules look at, loaded once.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::{
    tidy::{budgets, manifest::Manifest},
    workspace::{Member, Workspace},
};

pub(super) struct Tree {
    pub(super) workspace: Workspace,
    /// All text files that are or could be committed, by path.
    pub(super) files: Vec<File>,
    /// `cargo metadata` with all features and all dependencies.
    pub(super) metadata: Value,
    /// How many crates each line of the budget really has.
    pub(super) counts: BTreeMap<String, usize>,
}

pub(super) struct File {
    /// Relative to the root, with forward slashes.
    pub(super) path: String,
    pub(super) text: String,
}

impl Tree {
    pub(super) fn load(sh: &Shell) -> Result<Tree> {
        let workspace = Workspace::load(sh)?;
        let listed =
            cmd!(sh, "git ls-files --cached --others --exclude-standard").quiet().read()?;
        let mut files: Vec<File> = listed
            .lines()
            // What cannot be read as text was deleted and not committed yet, or is an image.
            .filter_map(|path| {
                Some(File {
                    path: path.to_owned(),
                    text: fs::read_to_string(workspace.root.join(path)).ok()?,
                })
            })
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let json =
            cmd!(sh, "cargo metadata --all-features --format-version 1 --quiet").quiet().read()?;
        let metadata = serde_json::from_str(&json)?;
        let mut tree = Tree { workspace, files, metadata, counts: BTreeMap::new() };
        let budgets =
            tree.text(budgets::PATH).with_context(|| format!("there is no {}", budgets::PATH))?;
        tree.counts = budgets::counts(sh, budgets)?;
        Ok(tree)
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// The path of a member's file, relative to the root.
    pub(super) fn path(&self, member: &Member, file: &str) -> String {
        format!("{}/{file}", member.folder(&self.workspace.root).display())
    }

    /// A member's manifest; of a member without one cargo would have complained.
    pub(super) fn manifest(&self, member: &Member) -> Manifest<'_> {
        Manifest::parse(self.text(&self.path(member, "Cargo.toml")).unwrap_or_default())
    }

    /// All Rust files.
    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        let is_rust = |file: &&File| {
            Path::new(&file.path).extension().is_some_and(|extension| extension == "rs")
        };
        self.files.iter().filter(is_rust)
    }
}

impl File {
    /// The lines, numbered from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// Whether it is a test of its own, as opposed to a unit test in a file of `src`.
    pub(super) fn is_test(&self) -> bool {
        self.path.contains("/tests/")
    }
}

/// The tree that this test was built from, loaded once for all tests.
#[cfg(test)]
pub(super) fn real() -> &'static Tree {
    static TREE: std::sync::LazyLock<Tree> = std::sync::LazyLock::new(|| {
        let sh = Shell::new().expect("there is a current folder");
        sh.change_dir(testkit::workspace_root());
        Tree::load(&sh).expect("the tree loads")
    });
    &TREE
}

/// A tree of these files, with a published member `underpin-NAME` 0.1.0 for each folder `crates/NAME` in them.
#[cfg(test)]
pub(super) fn made_up(files: &[(&str, &str)]) -> Tree {
    let files: Vec<File> = files
        .iter()
        .map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() })
        .collect();
    let names: std::collections::BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.path.strip_prefix("crates/")?.split('/').next())
        .collect();
    let members = names
        .iter()
        .map(|name| Member {
            name: format!("underpin-{name}"),
            version: "0.1.0".to_owned(),
            description: "One thing, well done.".to_owned(),
            dir: format!("/tree/crates/{name}").into(),
            publish: true,
            features: Vec::new(),
            keywords: vec!["thing".to_owned()],
            tests: Vec::new(),
            dependencies: Vec::new(),
        })
        .collect();
    Tree {
        workspace: Workspace { root: "/tree".into(), members },
        files,
        metadata: Value::Null,
        counts: BTreeMap::new(),
    }
}
