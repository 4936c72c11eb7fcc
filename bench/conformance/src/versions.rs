//! Which version of a crate was measured: what the lock file says.

const LOCK: &str = include_str!("../../Cargo.lock");

/// The version of a package of this workspace's lock file.
pub fn version(package: &str) -> &'static str {
    let name = format!("name = \"{package}\"");
    let mut lines = LOCK.lines().skip_while(|line| *line != name).skip(1);
    let version = lines.next().and_then(|line| line.strip_prefix("version = "));
    version.map_or("?", |version| version.trim_matches('"'))
}
