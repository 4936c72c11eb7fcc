//! The names that decide what is at a path.

use std::{
    ffi::OsString,
    fs, io,
    path::{Component, Path, PathBuf},
};

/// As many as Linux follows.
const MAX_LINKS: usize = 40;

/// Every symbolic link on the way, and the file at its end; or the first name that is missing. Each is in a folder that exists and is no link.
///
/// `/etc/app/app.yaml` in Kubernetes leads to `/etc/app/..data/app.yaml` and, because `..data` is a link, to `/etc/app/..2026_11_25/app.yaml`: three
/// names in two folders, and the one in the middle is what changes.
pub(crate) fn chain(path: &Path) -> io::Result<Vec<PathBuf>> {
    let path = std::path::absolute(path)?;
    let mut names = Vec::new();
    let mut here = PathBuf::from("/");
    let mut left: Vec<OsString> = reversed(&path);
    let mut links = 0;
    while let Some(name) = left.pop() {
        if name == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&name);
        match fs::read_link(&next) {
            Ok(target) => {
                names.push(next);
                links += 1;
                if links > MAX_LINKS {
                    break;
                }
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
                left.append(&mut reversed(&target));
            }
            // No link: a folder on the way, or the end.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput && !left.is_empty() => {
                here = next;
            }
            Err(_) => {
                names.push(next);
                break;
            }
        }
    }
    Ok(names)
}

fn reversed(path: &Path) -> Vec<OsString> {
    let mut names: Vec<_> = path
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect();
    names.reverse();
    names
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::chain;

    #[test]
    fn every_link_is_a_name_and_what_is_missing_ends_it() {
        let dir = tempfile::tempdir().expect("a temp folder");
        let dir = dir.path().canonicalize().expect("it is there");
        fs::create_dir(dir.join("..one")).expect("a folder");
        fs::write(dir.join("..one/app.yaml"), "").expect("a file");
        symlink("..one", dir.join("..data")).expect("a link");
        symlink("..data/app.yaml", dir.join("app.yaml")).expect("a link");
        let names = |path: &str| chain(&dir.join(path)).expect("an absolute path");
        let expected = ["app.yaml", "..data", "..one/app.yaml"].map(|name| dir.join(name));
        assert_eq!(names("app.yaml"), expected);
        assert_eq!(names("..one/../no/such/file"), [dir.join("no")]);
        symlink("circle", dir.join("circle")).expect("a link");
        assert_eq!(names("circle").len(), 41);
    }
}
