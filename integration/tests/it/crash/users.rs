//! A user who may not do everything: what he may not do changes nothing, and what he may is not refused.

use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::fs::{XattrFlags, getxattr, setxattr};
use tempfile::TempDir;
use testkit::{Skip, or_skip, run};

/// Whom nothing belongs to: `nobody`.
const USER: u32 = 65_534;

/// The outcomes of the program.
const DONE: i32 = 0;
const UNCHANGED: i32 = 10;

/// A folder that the user can go into, and the program in it.
struct Room {
    dir: TempDir,
    program: PathBuf,
}

impl Room {
    fn new() -> Result<Room, Skip> {
        if !rustix::process::geteuid().is_root() {
            return Err(Skip::new("only root may become another user (run it as root)"));
        }
        let dir = tempfile::tempdir().expect("a temp folder");
        set_mode(dir.path(), 0o755);
        let program = dir.path().join("crash");
        fs::copy(env!("CARGO_BIN_EXE_crash"), &program).expect("it is copied");
        Ok(Room { dir, program })
    }

    /// A folder of root's with these permissions.
    fn folder(&self, mode: u32) -> PathBuf {
        let folder = self.dir.path().join(format!("{mode:o}"));
        fs::create_dir(&folder).expect("a folder");
        set_mode(&folder, mode);
        folder
    }

    /// Has the user do something once.
    fn once(&self, operation: &str, path: &Path) -> i32 {
        let mut command = Command::new(&self.program);
        command.arg(format!("once-{operation}")).arg(path).uid(USER).gid(USER);
        run(command, Duration::from_secs(20)).status.code().expect("it is not killed")
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("root may");
}

fn file(path: &Path, content: &str, owner: u32, mode: u32) {
    fs::write(path, content).expect("it is written");
    chown(path, Some(owner), Some(owner)).expect("root may");
    set_mode(path, mode);
}

fn names(dir: &Path) -> usize {
    fs::read_dir(dir).expect("a folder").count()
}

#[test]
fn folder_that_may_not_be_written_keeps_the_old_file_and_nothing_else() {
    let room = or_skip!(Room::new());
    // In the second one he may write, but not replace what is another's.
    for (mode, owner) in [(0o755, USER), (0o1777, 0)] {
        let folder = room.folder(mode);
        let path = folder.join("file");
        file(&path, "old", owner, 0o666);
        assert_eq!(room.once("write", &path), UNCHANGED, "{mode:o}");
        assert_eq!(
            (fs::read(&path).expect("it is there").as_slice(), names(&folder)),
            (&b"old"[..], 1)
        );
    }
}

/// The umask of the first of them keeps the others from writing to the lock, which locking does not need.
#[test]
fn lock_that_another_user_has_made_is_taken() {
    let room = or_skip!(Room::new());
    let folder = room.folder(0o777);
    let path = folder.join("value");
    file(&path, "1\n", 0, 0o666);
    file(&folder.join("value.lock"), "", 0, 0o644);
    assert_eq!(room.once("update", &path), DONE);
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "2\n");
}

/// What cannot be read of the old file is not made up for by what its folder gives to new ones.
#[test]
fn access_list_of_the_folder_does_not_open_a_file_that_was_closed() {
    const ACL: &str = "system.posix_acl_access";
    let room = or_skip!(Room::new());
    let folder = room.folder(0o777);
    let path = folder.join("file");
    file(&path, "old", USER, 0o260);
    // Version 2; then tag, permissions and id of each: the owner, user 1234, the group, the mask, the others.
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in [
        (0x01_u16, 6_u16, u32::MAX),
        (0x02, 6, 1234),
        (0x04, 0, u32::MAX),
        (0x10, 6, u32::MAX),
        (0x20, 0, u32::MAX),
    ] {
        list.extend(tag.to_le_bytes().into_iter().chain(permissions.to_le_bytes()));
        list.extend(id.to_le_bytes());
    }
    if setxattr(&folder, "system.posix_acl_default", &list, XattrFlags::empty()).is_err() {
        // A file system without ACLs gives none.
        return;
    }
    assert_eq!(room.once("write", &path), DONE);
    assert!(getxattr(&path, ACL, &mut [0_u8; 256]).is_err(), "user 1234 may read it");
}
