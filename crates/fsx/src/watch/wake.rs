//! Says when something may have happened at a path. What has happened is for others to find out.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};

use super::{
    alarm::{Alarm, Woken},
    chain::chain,
};
use crate::place::parent;

/// Where the kernel tells nothing.
const POLL: Duration = Duration::from_secs(1);

/// Where it does, in case it does not.
const SAFETY: Duration = Duration::from_secs(60);

/// How often the names on the way are looked up again, because they changed while their folders were being watched.
const TRIES: usize = 3;

#[derive(Debug)]
pub(crate) struct Wake {
    path: PathBuf,
    alarm: Arc<Alarm>,
    /// None: there is nothing but looking again and again.
    watcher: Option<RecommendedWatcher>,
    /// The folders that are watched, and which ones they were.
    dirs: BTreeMap<PathBuf, Identity>,
    names: Arc<Mutex<BTreeSet<OsString>>>,
}

impl Wake {
    pub(crate) fn new(path: &Path, alarm: Arc<Alarm>) -> Wake {
        let names = Arc::default();
        let handler = {
            let (alarm, names) = (Arc::clone(&alarm), Arc::clone(&names));
            move |event: notify::Result<Event>| {
                if event.map_or(true, |event| concerns(&event, &names)) {
                    alarm.ring();
                }
            }
        };
        let path = path.to_owned();
        let dirs = BTreeMap::new();
        match notify::recommended_watcher(handler) {
            Ok(watcher) => Wake { path, alarm, watcher: Some(watcher), dirs, names },
            Err(error) => {
                let mut wake = Wake { path, alarm, watcher: None, dirs, names };
                wake.poll(&error.to_string());
                wake
            }
        }
    }

    /// Turns to the names that decide now what is at the path. To be called after each wait, before the file is looked at.
    pub(crate) fn aim(&mut self) {
        for _ in 0..TRIES {
            // A path that cannot be made absolute is in a folder that is gone.
            let Ok(chain) = chain(&self.path) else { return };
            if self.watch(&chain) {
                return;
            }
        }
        // What does not stand still is looked at once more.
        self.alarm.ring();
    }

    /// Watches the folders of these names and no others. False: they have changed meanwhile.
    fn watch(&mut self, chain: &[PathBuf]) -> bool {
        let Some(watcher) = &mut self.watcher else { return true };
        let dirs: BTreeSet<&Path> = chain.iter().map(|name| parent(name)).collect();
        if dirs.iter().any(|dir| is_remote(dir)) {
            self.poll("the file system is a remote one");
            return true;
        }
        let names = chain.iter().map(PathBuf::as_path).chain(dirs.iter().copied());
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) =
            names.filter_map(|name| name.file_name().map(OsString::from)).collect();
        self.dirs.retain(|dir, was| {
            let is_kept = dirs.contains(dir.as_path()) && identity(dir) == Some(*was);
            if !is_kept {
                // Its watch may have ended with it.
                let _ = watcher.unwatch(dir);
            }
            is_kept
        });
        let mut is_new = false;
        for dir in dirs {
            if self.dirs.contains_key(dir) {
                continue;
            }
            let Some(identity) = identity(dir) else { return false };
            match watcher.watch(dir, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.dirs.insert(dir.to_owned(), identity);
                    is_new = true;
                }
                Err(_) if !dir.exists() => return false,
                Err(error) => {
                    self.poll(&error.to_string());
                    return true;
                }
            }
        }
        // A link may have been turned before its folder was watched.
        !is_new || super::chain::chain(&self.path).is_ok_and(|now| now == chain)
    }

    /// Waits for a hint, for this time, or until the file should be looked at anyway.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Woken {
        let look = Instant::now() + if self.watcher.is_some() { SAFETY } else { POLL };
        self.alarm.wait(deadline.map_or(look, |deadline| deadline.min(look)))
    }

    fn poll(&mut self, why: &str) {
        self.watcher = None;
        #[cfg(feature = "tracing")]
        tracing::warn!(target: "fsx", path = %self.path.display(), why, "looking every second");
        #[cfg(not(feature = "tracing"))]
        let _ = why;
    }
}

/// Whether an event is about one of the names. Who reads a file changes nothing, and we do it ourselves.
fn concerns(event: &Event, names: &Mutex<BTreeSet<OsString>>) -> bool {
    let is_closed = event.kind == EventKind::Access(AccessKind::Close(AccessMode::Write));
    if matches!(event.kind, EventKind::Access(_)) && !is_closed {
        return false;
    }
    let names = names.lock().unwrap_or_else(PoisonError::into_inner);
    // Without a path, events were lost.
    let is_one = |path: &PathBuf| path.file_name().is_none_or(|name| names.contains(name));
    event.paths.is_empty() || event.paths.iter().any(is_one)
}

/// Device and inode, and when the folder was made: the inode of one that is removed is often that of the next.
type Identity = (u64, u64, Option<SystemTime>);

fn identity(dir: &Path) -> Option<Identity> {
    let metadata = fs::metadata(dir).ok()?;
    Some((metadata.dev(), metadata.ino(), metadata.created().ok()))
}

/// Whether others can change files without our kernel noticing.
#[cfg(target_os = "linux")]
fn is_remote(dir: &Path) -> bool {
    // NFS, SMB, CIFS, SMB2, 9p, FUSE (which virtiofs is, too), Ceph, AFS.
    const REMOTE: [u32; 8] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x0102_1997,
        0x6573_5546,
        0x00c3_6400,
        0x5346_414f,
    ];
    rustix::fs::statfs(dir)
        .is_ok_and(|fs| REMOTE.iter().any(|&magic| i64::from(magic) == fs.f_type))
}

#[cfg(not(target_os = "linux"))]
fn is_remote(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, ffi::OsString, sync::Mutex};

    use notify::event::{AccessKind, AccessMode, CreateKind, Event, EventKind, Flag};

    use super::concerns;

    #[test]
    fn events_that_were_lost_concern_everybody_and_readers_nobody() {
        let names = Mutex::new(BTreeSet::from([OsString::from("a")]));
        let concerns = |event: Event| concerns(&event, &names);
        let created = Event::new(EventKind::Create(CreateKind::File));
        assert!(concerns(created.clone().add_path("/dir/a".into())));
        assert!(!concerns(created.add_path("/dir/b".into())));
        let closed = |mode| Event::new(EventKind::Access(AccessKind::Close(mode)));
        assert!(concerns(closed(AccessMode::Write).add_path("/dir/a".into())));
        assert!(!concerns(closed(AccessMode::Read).add_path("/dir/a".into())));
        assert!(concerns(Event::new(EventKind::Other).set_flag(Flag::Rescan)));
    }
}
