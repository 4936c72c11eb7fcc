//! A cgroup for one tree.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process,
    sync::OnceLock,
    thread,
    time::Duration,
};

use rustix::{
    fs::{Access, access},
    io::Errno,
};

use crate::sys::starts_in_cgroups;

const PREFIX: &str = "procx-";

/// A cgroup below our own. Dropping it removes it, which works once it is empty.
#[derive(Debug)]
pub(super) struct Cgroup {
    path: PathBuf,
    /// Locked for as long as its owner lives: what can be locked has lost its owner.
    folder: File,
}

impl Cgroup {
    /// Tried out once, and what earlier owners left is ended on the way.
    pub(super) fn is_available() -> bool {
        static AVAILABLE: OnceLock<bool> = OnceLock::new();
        *AVAILABLE.get_or_init(|| {
            let Some(own) = own() else { return false };
            // Who starts a process elsewhere must be allowed to take it from here.
            let may_move = access(own.join("cgroup.procs"), Access::WRITE_OK).is_ok();
            if !may_move || !starts_in_cgroups() {
                return false;
            }
            end_orphans(own);
            (0..3).any(|_| Cgroup::make().is_some())
        })
    }

    pub(super) fn create() -> Option<Cgroup> {
        // Between making and locking one, another owner may take it for an orphan.
        (0..3).filter(|_| Cgroup::is_available()).find_map(|_| Cgroup::make())
    }

    fn make() -> Option<Cgroup> {
        // The number is for people; who owns it is said by the lock.
        let name = format!("{PREFIX}{}-{:016x}", process::id(), super::random());
        let path = own()?.join(name);
        fs::create_dir(&path).ok()?;
        let folder = File::open(&path).ok().filter(|folder| folder.try_lock().is_ok());
        let kill = path.join("cgroup.kill");
        match folder {
            // Since Linux 5.14.
            Some(folder) if kill.exists() => Some(Cgroup { path, folder }),
            _ => {
                let _ = fs::remove_dir(&path);
                None
            }
        }
    }

    /// To be started in.
    pub(super) fn folder(&self) -> &File {
        &self.folder
    }

    /// What runs in it, in cgroups below included.
    pub(super) fn members(&self) -> io::Result<Vec<u32>> {
        members(&self.path)
    }

    /// Kills everything, and says how many that were beside this one.
    pub(super) fn kill(&self, leader: u32) -> u32 {
        let members = self.members().unwrap_or_default();
        let others = members.into_iter().filter(|pid| *pid != leader).count();
        let _ = write(&self.path.join("cgroup.kill"), "1");
        u32::try_from(others).unwrap_or(u32::MAX)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Writes to a file that exists already: one of the kernel's.
fn write(path: &Path, text: &str) -> io::Result<()> {
    File::options().write(true).open(path)?.write_all(text.as_bytes())
}

fn members(path: &Path) -> io::Result<Vec<u32>> {
    let own = unless_gone(fs::read_to_string(path.join("cgroup.procs")))?;
    let mut found: Vec<u32> = own.lines().filter_map(|line| line.parse().ok()).collect();
    for path in unless_gone(below(path))? {
        found.extend(members(&path)?);
    }
    Ok(found)
}

fn remove(path: &Path) {
    for path in below(path).unwrap_or_default() {
        remove(&path);
    }
    let _ = fs::remove_dir(path);
}

fn below(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

/// A cgroup that was removed has nobody in it, and one of threads shows them further up. What cannot be looked into may have.
fn unless_gone<T: Default>(result: io::Result<T>) -> io::Result<T> {
    result.or_else(|error| match Errno::from_io_error(&error) {
        Some(Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP) => Ok(T::default()),
        _ => Err(error),
    })
}

/// Ends the trees of owners that were killed and could not do it themselves.
fn end_orphans(own: &Path) {
    for path in below(own).unwrap_or_default() {
        let ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        if !ours {
            continue;
        }
        if let Ok(lock) = File::open(&path)
            && lock.try_lock().is_ok()
        {
            let _ = write(&path.join("cgroup.kill"), "1");
            // Its processes take a moment to end. If they take longer, the next owner removes it.
            for _ in 0..20 {
                remove(&path);
                if !path.exists() {
                    break;
                }
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

/// The folder of the cgroup this process is in.
fn own() -> Option<&'static Path> {
    static OWN: OnceLock<Option<PathBuf>> = OnceLock::new();
    let own = OWN.get_or_init(|| {
        let cgroups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        folder(&cgroups, &mounts)
    });
    own.as_deref()
}

/// Where the one of version 2 is mounted. `cgroups` and `mounts` are what the kernel says of this process.
fn folder(cgroups: &str, mounts: &str) -> Option<PathBuf> {
    let path = cgroups.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        if filesystem.split(' ').next() != Some("cgroup2") {
            return None;
        }
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        // A container may see a part of the hierarchy only.
        let inside = Path::new(path).strip_prefix(root).ok()?;
        Some(Path::new(point).join(inside))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::folder;

    const HYBRID: &str = "\
30 23 0:26 / /sys/fs/cgroup/systemd rw,relatime shared:9 - cgroup cgroup rw,name=systemd
31 23 0:27 / /sys/fs/cgroup/unified rw,relatime shared:10 - cgroup2 cgroup2 rw
";

    #[test]
    fn own_cgroup_is_found_among_those_of_version_1() {
        let cgroups = "9:name=systemd:/\n0::/system.slice/orders.service\n";
        let found = folder(cgroups, HYBRID);
        let expected = Path::new("/sys/fs/cgroup/unified/system.slice/orders.service");
        assert_eq!(found.as_deref(), Some(expected));
    }

    #[test]
    fn own_cgroup_is_found_where_only_a_part_is_mounted() {
        let mounts = "31 23 0:27 /docker/1f /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";
        assert_eq!(
            folder("0::/docker/1f/a\n", mounts).as_deref(),
            Some(Path::new("/sys/fs/cgroup/a"))
        );
        assert_eq!(folder("0::/docker/2e\n", mounts), None);
        assert_eq!(folder("1:cpu:/\n", mounts), None);
    }
}
