//! `cargo xtask features`: every published crate alone. A build of the whole workspace unifies features, and so hides one that is missing.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::{
    flags,
    workspace::{Member, Workspace},
};

impl flags::Features {
    pub(crate) fn run(self, sh: &Shell) -> Result<()> {
        let workspace = Workspace::load(sh)?;
        let members: Vec<&Member> = match &self.package {
            Some(name) => vec![workspace.find(name)?],
            None => workspace.published().collect(),
        };
        for member in members {
            let name = &member.name;
            for flags in selections(&member.features) {
                println!("{name} {}", flags.join(" "));
                // Only the library: dev-dependencies would unify their features into it. Clippy, because it shares its artifacts
                // with the step of that name and lints what only a small selection of features compiles.
                cmd!(sh, "cargo clippy --quiet --package {name} --lib {flags...} -- -D warnings")
                    .quiet()
                    .run()?;
            }
        }
        Ok(())
    }
}

/// None, each, all: what can differ, once. `default` is a list of others, so it is not built as one of its own.
fn selections(features: &[String]) -> Vec<Vec<String>> {
    let named: Vec<&String> = features.iter().filter(|name| *name != "default").collect();
    let none = vec!["--no-default-features".to_owned()];
    let each = named.iter().map(|name| {
        let mut flags = none.clone();
        flags.extend(["--features".to_owned(), (*name).clone()]);
        flags
    });
    let mut selections = vec![none.clone()];
    selections.extend(each);
    if named.len() > 1 {
        selections.push(vec!["--all-features".to_owned()]);
    }
    selections
}

#[cfg(test)]
mod tests {
    use super::selections;

    fn lines(features: &[&str]) -> Vec<String> {
        let features: Vec<String> = features.iter().map(|&name| name.to_owned()).collect();
        selections(&features).iter().map(|flags| flags.join(" ")).collect()
    }

    #[test]
    fn crate_without_features_is_built_once() {
        assert_eq!(lines(&["default"]), ["--no-default-features"]);
    }

    #[test]
    fn one_feature_is_all_features() {
        assert_eq!(
            lines(&["tracing"]),
            ["--no-default-features", "--no-default-features --features tracing"]
        );
    }

    #[test]
    fn none_each_and_all_are_built() {
        let all = lines(&["axum", "default", "serde"]);
        assert_eq!(
            all[1..3],
            ["--no-default-features --features axum", "--no-default-features --features serde"]
        );
        assert_eq!((all.len(), all[3].as_str()), (4, "--all-features"));
    }
}
