//! A file is replaced whole, or not at all.

use std::{
    fs::{self, Permissions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
    process::Command,
    sync::Barrier,
    thread,
    time::Duration,
};

use rustix::fs::{XattrFlags, getxattr, setxattr};
use underpin_fsx::{
    Durability, ErrorKind, Preserve, State, Symlink,
    blocking::{AtomicFile, sweep_stale, write},
};

use crate::{names, read, temp_dir};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it can be set");
}

#[test]
fn write_creates_and_replaces_and_leaves_nothing_else() {
    let dir = temp_dir();
    let path = dir.path().join("a.txt");
    let written = write(&path, "one").expect("it is written");
    assert_eq!((written.bytes, written.replaced, written.durable), (3, false, true));
    let written = write(&path, "second").expect("it is written");
    assert_eq!((written.bytes, written.replaced, written.durable), (6, true, true));
    assert!(written.lost.is_empty());
    assert_eq!(read(&path), "second");
    assert_eq!(names(dir.path()), ["a.txt"]);
}

#[test]
fn bare_name_is_in_the_current_folder() {
    let error = write("", "x").expect_err("no name");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let name = format!("bare-{}.txt", std::process::id());
    write(&name, "x").expect("it is written");
    fs::remove_file(&name).expect("it is in the current folder");
}

#[test]
fn less_durability_is_said() {
    let dir = temp_dir();
    for durability in [Durability::None, Durability::Data] {
        let file = AtomicFile::at(dir.path().join("a")).durability(durability);
        assert!(!file.write("x").expect("it is written").durable);
    }
}

#[test]
fn temp_file_is_private_locked_and_well_named_until_it_is_committed() {
    let dir = temp_dir();
    let path = dir.path().join("a.txt");
    write(&path, "old").expect("it is written");
    set_mode(&path, 0o644);
    let mut writer = AtomicFile::at(&path).open().expect("it opens");
    writer.write_all(b"new").expect("it is written");
    let name = names(dir.path()).remove(0);
    assert!(name.starts_with(".a.txt.") && name.ends_with(".tmp~"), "{name}");
    assert_eq!(name.len(), ".a.txt.".len() + 16 + ".tmp~".len());
    assert_eq!(mode(&dir.path().join(&name)), 0o600);
    let file = fs::File::open(dir.path().join(&name)).expect("it opens");
    assert!(matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)));
    assert_eq!(read(&path), "old");
    assert_eq!(writer.commit().expect("it is committed").bytes, 3);
    assert_eq!((read(&path).as_str(), mode(&path)), ("new", 0o644));
}

#[test]
fn new_file_gets_what_the_umask_leaves_and_a_given_mode_is_exact() {
    let dir = temp_dir();
    let plain = dir.path().join("plain");
    fs::write(&plain, "").expect("it is written");
    let ours = dir.path().join("ours");
    write(&ours, "").expect("it is written");
    assert_eq!(mode(&ours), mode(&plain));
    let exact = dir.path().join("exact");
    for expected in [0o666, 0o640, 0o4755] {
        AtomicFile::at(&exact).mode(expected).write("").expect("it is written");
        assert_eq!(mode(&exact), expected);
    }
}

#[test]
fn mode_owner_and_attributes_are_kept() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    fs::write(&path, "old").expect("it is written");
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        std::os::unix::fs::chown(&path, Some(1234), Some(4321)).expect("root may");
    }
    set_mode(&path, 0o6750);
    let has_attributes = setxattr(&path, "user.origin", b"here", XattrFlags::empty()).is_ok();
    assert!(write(&path, "new").expect("it is written").lost.is_empty());
    let metadata = fs::metadata(&path).expect("it is there");
    assert_eq!(metadata.mode() & 0o7777, 0o6750);
    if is_root {
        assert_eq!((metadata.uid(), metadata.gid()), (1234, 4321));
    }
    if has_attributes {
        let mut value = [0; 16];
        let len = getxattr(&path, "user.origin", &mut value).expect("it has it");
        assert_eq!(&value[..len], b"here");
    }
    AtomicFile::at(&path).preserve(Preserve::Nothing).write("bare").expect("it is written");
    assert_ne!(mode(&path), 0o6750);
    assert!(getxattr(&path, "user.origin", &mut [0; 16]).is_err());
}

/// An ACL as the kernel stores it: version 2, then tag, permissions and id of each entry.
fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

#[test]
fn acl_is_kept_and_the_folders_default_is_not_added() {
    const NONE: u32 = u32::MAX;
    let dir = temp_dir();
    let (with, without) = (dir.path().join("with"), dir.path().join("without"));
    fs::write(&with, "old").expect("it is written");
    fs::write(&without, "old").expect("it is written");
    let entries =
        [(0x01, 6, NONE), (0x02, 4, 1234), (0x04, 0, NONE), (0x10, 4, NONE), (0x20, 0, NONE)];
    let name = "system.posix_acl_access";
    if setxattr(&with, name, &acl(&entries), XattrFlags::empty()).is_err() {
        // A file system without ACLs has none to keep.
        return;
    }
    setxattr(dir.path(), "system.posix_acl_default", &acl(&entries), XattrFlags::empty())
        .expect("the folder takes it");
    let before = mode(&without);
    for path in [&with, &without] {
        assert!(write(path, "new").expect("it is written").lost.is_empty());
    }
    let mut value = [0; 256];
    let len = getxattr(&with, name, &mut value).expect("it has it");
    assert_eq!(&value[..len], acl(&entries));
    assert!(getxattr(&without, name, &mut value).is_err());
    assert_eq!(mode(&without), before);
    // A new file gets what the folder gives.
    write(dir.path().join("new"), "").expect("it is written");
    getxattr(dir.path().join("new"), name, &mut value).expect("it has it");
}

#[test]
fn link_is_followed_through_others_and_stays_a_link() {
    let dir = temp_dir();
    let (target, link) = (dir.path().join("sub/secret"), dir.path().join("link"));
    fs::create_dir(dir.path().join("sub")).expect("a folder");
    write(&target, "old").expect("it is written");
    set_mode(&target, 0o600);
    symlink("sub/../link2", &link).expect("a link");
    symlink("sub/secret", dir.path().join("link2")).expect("a link");
    write(&link, "new").expect("it is written");
    assert_eq!((read(&target).as_str(), mode(&target)), ("new", 0o600));
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    assert_eq!(names(&dir.path().join("sub")), ["secret"]);
}

#[test]
fn dangling_link_creates_its_target() {
    let dir = temp_dir();
    symlink("later", dir.path().join("link")).expect("a link");
    assert!(!write(dir.path().join("link"), "x").expect("it is written").replaced);
    assert_eq!(names(dir.path()), ["later", "link"]);
}

#[test]
fn link_is_replaced_with_the_targets_mode_or_refused_if_asked() {
    let dir = temp_dir();
    let (target, link) = (dir.path().join("target"), dir.path().join("link"));
    write(&target, "old").expect("it is written");
    set_mode(&target, 0o600);
    symlink("target", &link).expect("a link");
    let refused = AtomicFile::at(&link).symlink(Symlink::Refuse).write("new").expect_err("a link");
    assert_eq!((refused.kind(), refused.state()), (ErrorKind::Symlink, State::Unchanged));
    AtomicFile::at(&link).symlink(Symlink::Replace).write("new").expect("it is written");
    assert_eq!((read(&target).as_str(), read(&link).as_str()), ("old", "new"));
    assert_eq!(mode(&link), 0o600);
    assert!(!fs::symlink_metadata(&link).expect("it is there").is_symlink());
}

#[test]
fn circle_of_links_is_an_error() {
    let dir = temp_dir();
    symlink("b", dir.path().join("a")).expect("a link");
    symlink("a", dir.path().join("b")).expect("a link");
    assert_eq!(write(dir.path().join("a"), "x").expect_err("a circle").kind(), ErrorKind::Symlink);
    assert_eq!(names(dir.path()), ["a", "b"]);
}

#[test]
fn other_names_keep_the_old_content_unless_refused() {
    let dir = temp_dir();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    write(&one, "old").expect("it is written");
    fs::hard_link(&one, &other).expect("a second name");
    let refused = AtomicFile::at(&one).refuse_hard_links().write("new").expect_err("two names");
    assert_eq!(refused.kind(), ErrorKind::HardLinked);
    write(&one, "new").expect("it is written");
    assert_eq!((read(&one).as_str(), read(&other).as_str()), ("new", "old"));
}

#[test]
fn file_that_is_read_only_is_replaced_only_if_asked() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    write(&path, "old").expect("it is written");
    set_mode(&path, 0o444);
    let error = write(&path, "new").expect_err("it is read-only");
    assert_eq!(error.kind(), ErrorKind::ReadOnlyFile);
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::PermissionDenied);
    AtomicFile::at(&path).replace_readonly().write("new").expect("it is written");
    assert_eq!((read(&path).as_str(), mode(&path)), ("new", 0o444));
}

#[test]
fn what_is_not_a_file_is_refused() {
    let dir = temp_dir();
    fs::create_dir(dir.path().join("folder")).expect("a folder");
    let fifo = dir.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().expect("it starts");
    assert!(made.success());
    for path in [dir.path().join("folder"), dir.path().join("folder/"), dir.path().join(".."), fifo]
    {
        assert_eq!(write(&path, "x").expect_err("no file").kind(), ErrorKind::NotAFile, "{path:?}");
    }
    assert_eq!(names(dir.path()), ["fifo", "folder"]);
}

#[test]
fn missing_folder_is_named() {
    let dir = temp_dir();
    let path = dir.path().join("no/a");
    let error = write(&path, "x").expect_err("no folder");
    assert_eq!((error.kind(), error.path()), (ErrorKind::NotFound, path.as_path()));
    let message = error.to_string();
    assert_eq!(
        message,
        format!("cannot write {}: there is no such file or folder", path.display())
    );
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn create_new_never_replaces_and_has_one_winner() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    let barrier = Barrier::new(8);
    let winners: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let file = AtomicFile::at(&path).create_new();
                let barrier = &barrier;
                scope.spawn(move || {
                    let mut writer = file.open().expect("nobody has committed");
                    writer.write_all(n.to_string().as_bytes()).expect("it is written");
                    barrier.wait();
                    match writer.commit() {
                        Ok(_) => 1,
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::AlreadyExists);
                            0
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!(winners, 1);
    let error = AtomicFile::at(&path).create_new().write("x").expect_err("it is there");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(names(dir.path()), ["a"]);
}

#[test]
fn dropped_writer_and_failing_or_panicking_function_leave_nothing() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    write(&path, "old").expect("it is written");
    let mut writer = AtomicFile::at(&path).open().expect("it opens");
    writer.write_all(b"new").expect("it is written");
    drop(writer);
    let failed = AtomicFile::at(&path).write_with(|to| {
        to.write_all(&vec![b'x'; 100_000])?;
        Err::<(), _>(io::Error::other("changed my mind"))
    });
    assert_eq!(failed.expect_err("it failed").state(), State::Unchanged);
    let panicked = thread::scope(|scope| {
        let write =
            || AtomicFile::at(&path).write_with(|_| -> io::Result<()> { panic!("on purpose") });
        scope.spawn(write).join()
    });
    assert!(panicked.is_err());
    assert_eq!(read(&path), "old");
    assert_eq!(names(dir.path()), ["a"]);
}

#[test]
fn writer_can_go_back() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    let mut writer = AtomicFile::at(&path).open().expect("it opens");
    writer.write_all(b"????data").expect("it is written");
    writer.seek(SeekFrom::Start(0)).expect("it seeks");
    writer.write_all(b"head").expect("it is written");
    assert_eq!(writer.commit().expect("it is committed").bytes, 8);
    assert_eq!(read(&path), "headdata");
}

#[test]
fn readers_and_writers_at_once_see_whole_versions() {
    const SIZE: usize = 100_000;
    let dir = temp_dir();
    let path = dir.path().join("a");
    let file = AtomicFile::at(&path).durability(Durability::None);
    file.write(vec![b'a'; SIZE]).expect("it is written");
    let mut before = fs::File::open(&path).expect("it opens");
    thread::scope(|scope| {
        for letter in [b'b', b'c', b'd'] {
            let file = &file;
            scope.spawn(move || {
                for _ in 0..50 {
                    file.write(vec![letter; SIZE]).expect("it is written");
                }
            });
        }
        for _ in 0..100 {
            let content = fs::read(&path).expect("it can be read");
            assert!(content.len() == SIZE && content.iter().all(|byte| *byte == content[0]));
        }
    });
    let mut old = Vec::new();
    before.read_to_end(&mut old).expect("it can be read");
    assert_eq!(old, vec![b'a'; SIZE]);
    assert_eq!(names(dir.path()), ["a"]);
}

#[test]
fn sweep_takes_what_is_old_and_held_by_nobody() {
    let dir = temp_dir();
    let stale = dir.path().join(".a.0123456789abcdef.tmp~");
    for name in [".a.0123456789abcdef.tmp~", ".b.0123456789abcdef.tmp", "c.tmp~"] {
        fs::write(dir.path().join(name), "left behind").expect("it is written");
    }
    let writer = AtomicFile::at(dir.path().join("d")).open().expect("it opens");
    assert_eq!(sweep_stale(dir.path(), Duration::from_secs(3600)).expect("it sweeps"), 0);
    assert_eq!(sweep_stale(dir.path(), Duration::ZERO).expect("it sweeps"), 1);
    assert!(!stale.exists());
    assert!(writer.commit().is_ok());
    assert_eq!(names(dir.path()), [".b.0123456789abcdef.tmp", "c.tmp~", "d"]);
}

#[test]
fn writers_survive_a_sweep_without_regard_for_age() {
    let dir = temp_dir();
    let done = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                sweep_stale(dir.path(), Duration::ZERO).expect("it sweeps");
            }
        });
        let file = AtomicFile::at(dir.path().join("a")).durability(Durability::None);
        let result = (0..2_000).try_for_each(|_| file.write("x").map(|_| ()));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        result.expect("every write succeeds");
    });
}

#[test]
fn longest_names_and_no_content_are_no_matter() {
    let dir = temp_dir();
    for name in ["x".repeat(255), "\u{e4}".repeat(127)] {
        let path = dir.path().join(&name);
        for content in ["", "new", ""] {
            write(&path, content).expect("it is written");
            assert_eq!(read(&path), content);
        }
        assert_eq!(names(dir.path()), [name]);
        fs::remove_file(path).expect("it is there");
    }
}
