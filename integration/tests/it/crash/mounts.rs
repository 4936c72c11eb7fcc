//! File systems that are full, read-only, or end at a file.

use std::{
    ffi::CString,
    fs,
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};
use tempfile::TempDir;
use testkit::{Skip, or_skip};
use underpin_fsx::{
    ErrorKind, State,
    blocking::{AtomicFile, Jsonl, update_json, write},
};

/// Mounted while it exists.
pub(crate) struct Mount(PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// A folder, if somebody may mount a file system there.
pub(crate) fn dir() -> Result<TempDir, Skip> {
    if rustix::process::geteuid().is_root() {
        Ok(tempfile::tempdir().expect("a temp folder"))
    } else {
        Err(Skip::new("only root may mount (run it as root)"))
    }
}

/// A file system of one mebibyte, in memory.
pub(crate) fn small(dir: &Path) -> Mount {
    mount("tmpfs", dir, "tmpfs", MountFlags::empty(), c"size=1m").expect("root may mount");
    Mount(dir.to_owned())
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a folder");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn file_that_is_a_mount_point_is_named_as_one() {
    let dir = or_skip!(dir());
    let path = dir.path().join("file");
    write(&path, "old").expect("it is written");
    mount_bind(&path, &path).expect("root may mount");
    let _mount = Mount(path.clone());
    let error = write(&path, "new").expect_err("it cannot be replaced");
    assert_eq!((error.kind(), error.state()), (ErrorKind::MountPoint, State::Unchanged));
    assert!(error.to_string().ends_with("mount its folder instead"), "{error}");
    assert_eq!(names(dir.path()), ["file"]);
}

#[test]
fn full_disk_changes_nothing() {
    let dir = or_skip!(dir());
    let _mount = small(dir.path());
    let path = |name| dir.path().join(name);
    write(path("file"), "old").expect("it is written");
    write(path("value"), "[1]\n").expect("it is written");
    let log: Jsonl<String> = Jsonl::at(path("log")).open().expect("it opens");
    log.append(&"old".to_owned()).expect("it is appended");
    // A few pages are left.
    fs::write(path("filler"), vec![0; 900 << 10]).expect("it is written");
    let large = "x".repeat(500_000);
    let errors = [
        write(path("file"), &large).expect_err("no space"),
        AtomicFile::at(path("new")).create_new().write(&large).expect_err("no space"),
        update_json(path("value"), 1 << 20, |list: &mut Vec<u32>| list.resize(100_000, 1))
            .expect_err("no space"),
        log.append(&large).expect_err("no space"),
    ];
    for error in errors {
        assert_eq!((error.kind(), error.state()), (ErrorKind::NoSpace, State::Unchanged));
    }
    log.append(&"small".to_owned()).expect("it still fits");
    let content = |name| fs::read_to_string(path(name)).expect("it is there");
    assert_eq!(
        [content("file"), content("value"), content("log")],
        ["old", "[1]\n", "\"old\"\n\"small\"\n"]
    );
    assert_eq!(names(dir.path()), ["file", "filler", "log", "value", "value.lock"]);
}

#[test]
fn read_only_disk_is_named_as_one() {
    let dir = or_skip!(dir());
    let _mount = small(dir.path());
    let path = dir.path().join("file");
    write(&path, "old").expect("it is written");
    mount_remount(dir.path(), MountFlags::RDONLY, c"").expect("root may mount");
    let error = write(&path, "new").expect_err("it is read-only");
    assert_eq!((error.kind(), error.state()), (ErrorKind::ReadOnlyFileSystem, State::Unchanged));
    let error = Jsonl::<u32>::at(&path).open().expect_err("it is read-only");
    assert_eq!(error.kind(), ErrorKind::ReadOnlyFileSystem);
}

/// What a container has: a file of its image is copied when it is first opened to be written, and is another one from then on.
#[test]
fn file_of_a_lower_layer_is_replaced_and_appended_to() {
    let dir = or_skip!(dir());
    let _below = small(dir.path());
    let path = |name: &str| dir.path().join(name);
    for name in ["lower", "upper", "work", "top"] {
        fs::create_dir(path(name)).expect("a folder");
    }
    fs::write(path("lower/file"), "old").expect("it is written");
    fs::write(path("lower/value"), "1\n").expect("it is written");
    fs::write(path("lower/log"), "\"old\"\n\"torn").expect("it is written");
    let layers =
        ["lower", "upper", "work"].map(|name| format!("{name}dir={}", path(name).display()));
    let layers = CString::new(layers.join(",")).expect("no NUL");
    if mount("overlay", path("top"), "overlay", MountFlags::empty(), layers.as_c_str()).is_err() {
        or_skip!(Err(Skip::new("no overlay file system (run it where there is one)")));
    }
    let _top = Mount(path("top"));
    assert!(write(path("top/file"), "new").expect("it is written").durable);
    update_json(path("top/value"), 100, |n: &mut u32| *n += 1).expect("it is updated");
    let log: Jsonl<String> = Jsonl::at(path("top/log")).open().expect("it opens");
    log.append(&"new".to_owned()).expect("it is appended");
    let content = |name| fs::read_to_string(path(name)).expect("it is there");
    assert_eq!(
        [content("top/file"), content("top/value"), content("top/log")],
        ["new", "2\n", "\"old\"\n\"torn\n\"new\"\n"]
    );
    assert_eq!(content("lower/file"), "old");
    assert_eq!(names(&path("top")), ["file", "log", "value", "value.lock"]);
}
