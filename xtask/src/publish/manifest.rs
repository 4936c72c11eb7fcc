//! The one edit the rehearsal makes to a manifest: where our own crates come from.

use crate::workspace::Workspace;

/// Whether a line of `manifest` is about `name`.
pub(crate) fn names(manifest: &str, name: &str) -> bool {
    manifest.lines().any(|line| key(line) == Some(name))
}

/// The name that a line of a dependency table is about.
fn key(line: &str) -> Option<&str> {
    let (key, _) = line.split_once('=')?;
    Some(key.trim()).filter(|key| !key.is_empty() && !key.starts_with('#'))
}

/// Adds `registry` to each line that names a published member with a version.
///
/// Lines are enough: the table of the workspace and the READMEs have one dependency a line, and a line of another shape fails the
/// rehearsal, which then looks for our crate among third-party ones.
pub(crate) fn with_registry(manifest: &str, workspace: &Workspace, registry: &str) -> String {
    let ours = |name: &str| workspace.published().any(|member| member.name == name);
    let line = |line: &str| match line.split_once('=') {
        Some((_, value)) if key(line).is_some_and(ours) => {
            let (name, value) = (key(line).unwrap_or_default(), value.trim());
            match value.strip_prefix('{') {
                Some(rest) => format!("{name} = {{ registry = \"{registry}\",{rest}\n"),
                None => format!("{name} = {{ registry = \"{registry}\", version = {value} }}\n"),
            }
        }
        _ => format!("{line}\n"),
    };
    manifest.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::scratch::Scratch;

    #[test]
    fn only_our_own_crates_come_from_the_registry() {
        let workspace = Scratch::new().workspace();
        let before = "[dependencies]\n# scratch-app = \"1\"\nscratch-app = \"0.2\"\nscratch-base = { path = \"x\", version = \"0.1\" }\n\
                      helper = { path = \"y\" }\nscratch-base-other = \"1\"\nserde = \"1\"\n";
        let after = "[dependencies]\n# scratch-app = \"1\"\nscratch-app = { registry = \"here\", version = \"0.2\" }\n\
                     scratch-base = { registry = \"here\", path = \"x\", version = \"0.1\" }\n\
                     helper = { path = \"y\" }\nscratch-base-other = \"1\"\nserde = \"1\"\n";
        assert_eq!(with_registry(before, &workspace, "here"), after);
    }
}
