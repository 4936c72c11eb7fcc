//! Carries the old file's owner, mode, ACL and extended attributes over to the new one.

use std::fs::File;

use rustix::{
    buffer::spare_capacity,
    fs::{self, Gid, Mode, Stat, Uid, XattrFlags},
    io::{Errno, Result},
};

/// What of the old file's owner, mode, ACL and extended attributes the new one gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preserve {
    /// All that this user may set; [`Written::lost`](crate::Written::lost) names the rest.
    #[default]
    BestEffort,
    /// All, or the write fails with [`ErrorKind::NotKept`](crate::ErrorKind::NotKept).
    Strict,
    /// Nothing: it is as if the file were new.
    Nothing,
}

/// Something of the old file that the new one does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lost {
    /// The owner. A set-user-ID bit is dropped with it.
    Owner,
    /// The group. The new group may do no more than everybody.
    Group,
    /// The access control list.
    Acl,
    /// Some of the extended attributes.
    Attributes,
}

const ACL: &[u8] = b"system.posix_acl_access";

/// The file that is there before it is replaced.
#[derive(Debug)]
pub(crate) struct Old {
    pub(crate) stat: Stat,
    /// For its attributes; it is not there if this user may not read it.
    pub(crate) file: Option<File>,
}

/// Makes `new` as `old` was, as far as this is allowed, and returns what was not. A mode that is given is taken instead of the old one.
pub(crate) fn carry(old: &Old, new: &File, mode: Option<Mode>) -> Result<Vec<Lost>> {
    let mut lost = Vec::new();
    // First, because it takes set-user-ID bits away.
    carry_owner(&old.stat, new, &mut lost)?;
    carry_attributes(old, new, &mut lost);
    // Last, because an ACL that was set has changed the mode, and this changes no more of the ACL than its mask.
    let kept = || kept_mode(Mode::from_raw_mode(old.stat.st_mode), &lost);
    fs::fchmod(new, mode.unwrap_or_else(kept))?;
    Ok(lost)
}

fn carry_owner(old: &Stat, new: &File, lost: &mut Vec<Lost>) -> Result<()> {
    let (owner, group) = (Uid::from_raw(old.st_uid), Gid::from_raw(old.st_gid));
    match fs::fchown(new, Some(owner), Some(group)) {
        Err(Errno::PERM) => lost.push(Lost::Owner),
        result => return result,
    }
    match fs::fchown(new, None, Some(group)) {
        Err(Errno::PERM) => lost.push(Lost::Group),
        result => return result,
    }
    Ok(())
}

/// The permission bits, without those that would give to others what was meant for the owner and group that are lost.
fn kept_mode(old: Mode, lost: &[Lost]) -> Mode {
    let mut mode = old;
    if lost.contains(&Lost::Owner) {
        mode.remove(Mode::SUID);
    }
    if lost.contains(&Lost::Group) {
        let others = (mode & Mode::RWXO).bits() << 3;
        let group = mode & Mode::from_bits_truncate(others);
        mode = (mode - Mode::SGID - Mode::RWXG) | group;
    }
    mode
}

fn carry_attributes(old: &Old, new: &File, lost: &mut Vec<Lost>) {
    let mut note = |what| {
        if !lost.contains(&what) {
            lost.push(what);
        }
    };
    // A folder can give its new files an ACL, by which others could do what the old file did not let them do.
    match fs::fremovexattr(new, ACL) {
        Ok(()) | Err(Errno::NODATA | Errno::NOTSUP) => {}
        Err(_) => note(Lost::Acl),
    }
    let Some(file) = &old.file else { return note(Lost::Attributes) };
    let names = match names(file) {
        Ok(names) => names,
        Err(Errno::NOTSUP) => return,
        Err(_) => return note(Lost::Attributes),
    };
    for name in names.split(|&byte| byte == 0).filter(|name| is_carried(name)) {
        let copied = value(file, name)
            .and_then(|value| fs::fsetxattr(new, name, &value, XattrFlags::empty()));
        match copied {
            // It has gone meanwhile.
            Ok(()) | Err(Errno::NODATA) => {}
            Err(_) if name == ACL => note(Lost::Acl),
            Err(_) => note(Lost::Attributes),
        }
    }
}

/// Not what the kernel itself takes away when content changes: capabilities, and what is computed from the content.
fn is_carried(name: &[u8]) -> bool {
    const OF_THE_CONTENT: [&[u8]; 3] = [b"security.capability", b"security.ima", b"security.evm"];
    if cfg!(not(target_os = "linux")) {
        return !name.is_empty();
    }
    name == ACL
        || name.starts_with(b"user.")
        || (name.starts_with(b"security.") && !OF_THE_CONTENT.contains(&name))
}

/// Each ends with a NUL.
fn names(file: &File) -> Result<Vec<u8>> {
    grow(256, |buffer| fs::flistxattr(file, spare_capacity(buffer)))
}

fn value(file: &File, name: &[u8]) -> Result<Vec<u8>> {
    grow(256, |buffer| fs::fgetxattr(file, name, spare_capacity(buffer)))
}

fn grow(first: usize, mut read: impl FnMut(&mut Vec<u8>) -> Result<usize>) -> Result<Vec<u8>> {
    let mut buffer = Vec::with_capacity(first);
    loop {
        match read(&mut buffer) {
            // Linux has no larger ones than 64 KiB.
            Err(Errno::RANGE) if buffer.capacity() < 1 << 20 => {
                buffer.reserve(buffer.capacity() * 4);
            }
            result => return result.map(|_| buffer),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::Mode;

    use super::{Lost, kept_mode};

    #[test]
    fn a_lost_group_may_do_no_more_than_everybody() {
        let kept = |mode, lost: &[Lost]| kept_mode(Mode::from_raw_mode(mode), lost).bits();
        assert_eq!(kept(0o100_640, &[]), 0o640);
        assert_eq!(kept(0o100_660, &[Lost::Group]), 0o600);
        assert_eq!(kept(0o102_675, &[Lost::Group]), 0o655);
        assert_eq!(kept(0o100_604, &[Lost::Group]), 0o604);
        assert_eq!(kept(0o104_755, &[Lost::Owner]), 0o755);
    }
}
