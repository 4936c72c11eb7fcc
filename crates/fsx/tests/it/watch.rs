//! A watch tells what has become of the content at a path, once, and nothing else.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    time::{Duration, Instant},
};

use underpin_fsx::{
    Change,
    blocking::{Watch, write},
};

use crate::temp_dir;

const QUIET: Duration = Duration::from_millis(40);
/// For what has to come.
const SOON: Duration = Duration::from_secs(20);
/// For what must not come: long enough to be told, were it a change.
const A_WHILE: Duration = Duration::from_millis(250);

fn watch(path: impl AsRef<Path>) -> Watch {
    Watch::at(path).debounce(QUIET).start().expect("it starts")
}

#[track_caller]
fn tells(watch: &mut Watch, change: Change) {
    assert_eq!(watch.next_within(SOON), Some(change));
}

#[track_caller]
fn is_silent(watch: &mut Watch) {
    assert_eq!(watch.next_within(A_WHILE), None);
}

#[test]
fn ten_atomic_replaces_are_ten_changes() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    write(&path, "0").expect("it is written");
    let mut watch = watch(&path);
    for n in 1..=10 {
        write(&path, n.to_string()).expect("it is written");
        tells(&mut watch, Change::Changed);
    }
    is_silent(&mut watch);
}

#[test]
fn touch_mode_same_bytes_reading_and_neighbours_are_no_change() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    write(&path, "same").expect("it is written");
    let mut watch = watch(&path);
    fs::File::open(&path)
        .and_then(|file| file.set_modified(std::time::SystemTime::now()))
        .expect("it is touched");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is set");
    write(&path, "same").expect("it is written");
    fs::write(&path, "same").expect("it is written");
    fs::read(&path).expect("it is read");
    fs::write(dir.path().join("neighbour"), "x").expect("it is written");
    is_silent(&mut watch);
    fs::write(&path, "else").expect("it is written");
    tells(&mut watch, Change::Changed);
}

#[test]
fn missing_path_appears_goes_and_comes_back_with_its_folders() {
    let dir = temp_dir();
    let path = dir.path().join("one/two/a");
    let mut watch = watch(&path);
    fs::create_dir_all(dir.path().join("one/two")).expect("a folder");
    write(&path, "x").expect("it is written");
    tells(&mut watch, Change::Appeared);
    fs::remove_dir_all(dir.path().join("one")).expect("it is removed");
    tells(&mut watch, Change::Removed);
    fs::create_dir_all(dir.path().join("one/two")).expect("a folder");
    write(&path, "y").expect("it is written");
    tells(&mut watch, Change::Appeared);
}

#[test]
fn folder_that_is_replaced_on_the_way_is_noticed() {
    let dir = temp_dir();
    for (name, content) in [("now", "old"), ("next", "new")] {
        fs::create_dir(dir.path().join(name)).expect("a folder");
        write(dir.path().join(name).join("a"), content).expect("it is written");
    }
    let mut watch = watch(dir.path().join("now/a"));
    fs::rename(dir.path().join("now"), dir.path().join("before")).expect("it is renamed");
    fs::rename(dir.path().join("next"), dir.path().join("now")).expect("it is renamed");
    tells(&mut watch, Change::Changed);
    write(dir.path().join("now/a"), "newer").expect("it is written");
    tells(&mut watch, Change::Changed);
}

/// The new folder often has the inode of the old one, but not its watch.
#[test]
fn folder_that_is_removed_and_made_anew_at_once_is_watched() {
    let dir = temp_dir();
    let sub = dir.path().join("sub");
    fs::create_dir(&sub).expect("a folder");
    let mut watch = watch(sub.join("a"));
    for n in 0..20 {
        let _ = fs::remove_file(sub.join("a"));
        fs::remove_dir(&sub).and_then(|()| fs::create_dir(&sub)).expect("it is made anew");
        // Once the watch has looked at what it has been told of so far.
        std::thread::sleep(QUIET / 2); // sleep-ok: it may look before or after; both must do
        fs::write(sub.join("a"), n.to_string()).expect("it is written");
        assert!(watch.next_within(SOON).is_some());
        while watch.next_within(QUIET * 3).is_some() {}
    }
}

/// What Kubernetes does with a `ConfigMap`: a new folder, a new link, renamed over the old one; then the old folder goes.
fn config_map(dir: &Path, version: u32, content: &str) {
    let folder = format!("..{version}");
    fs::create_dir(dir.join(&folder)).expect("a folder");
    fs::write(dir.join(&folder).join("app.yaml"), content).expect("it is written");
    symlink(&folder, dir.join("..data_tmp")).expect("a link");
    fs::rename(dir.join("..data_tmp"), dir.join("..data")).expect("it is renamed");
    let _ = fs::remove_dir_all(dir.join(format!("..{}", version - 1)));
}

#[test]
fn changed_config_map_is_exactly_one_change() {
    let dir = temp_dir();
    config_map(dir.path(), 1, "v1");
    symlink("..data/app.yaml", dir.path().join("app.yaml")).expect("a link");
    let mut watch = watch(dir.path().join("app.yaml"));
    for version in 2..=5 {
        config_map(dir.path(), version, &format!("v{version}"));
        tells(&mut watch, Change::Changed);
        is_silent(&mut watch);
    }
    // The same content in a new folder is none.
    config_map(dir.path(), 6, "v5");
    is_silent(&mut watch);
    config_map(dir.path(), 7, "v7");
    tells(&mut watch, Change::Changed);
}

#[test]
fn burst_is_one_change_and_constant_writing_is_told_after_the_longest_wait() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    write(&path, "0").expect("it is written");
    let mut watch = Watch::at(&path)
        .debounce(Duration::from_millis(300))
        .max_wait(Duration::from_millis(600))
        .start()
        .expect("it starts");
    for n in 1..=20 {
        fs::write(&path, n.to_string()).expect("it is written");
    }
    tells(&mut watch, Change::Changed);
    let begin = Instant::now();
    let mut n = 100;
    // It is never quiet.
    let told = loop {
        n += 1;
        fs::write(&path, n.to_string()).expect("it is written");
        if let Some(change) = watch.next_within(Duration::from_millis(20)) {
            break change;
        }
        assert!(begin.elapsed() < SOON, "it is starved");
    };
    assert_eq!(told, Change::Changed);
    assert!(begin.elapsed() >= Duration::from_millis(600));
}

#[test]
fn change_is_told_after_500_ms_of_quiet_by_default() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    let mut watch = Watch::at(&path).start().expect("it starts");
    let begin = Instant::now();
    write(&path, "x").expect("it is written");
    tells(&mut watch, Change::Appeared);
    assert!(begin.elapsed() >= Duration::from_millis(500));
}

#[test]
fn change_that_waits_is_one_with_those_that_follow() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    let mut watch = watch(&path);
    write(&path, "1").expect("it is written");
    tells(&mut watch, Change::Appeared);
    for n in 2..6 {
        write(&path, n.to_string()).expect("it is written");
        std::thread::sleep(QUIET * 3); // sleep-ok: each has to settle, untaken
    }
    tells(&mut watch, Change::Changed);
    let mut more = 0;
    while watch.next_within(A_WHILE).is_some() {
        more += 1;
    }
    assert!(more <= 1, "{more}");
}

/// The threads of this process with this name.
#[cfg(target_os = "linux")]
fn threads(name: &str) -> usize {
    let is_it = |entry: std::io::Result<fs::DirEntry>| {
        let comm = entry.ok().map(|entry| entry.path().join("comm"));
        comm.and_then(|comm| fs::read_to_string(comm).ok()).is_some_and(|comm| comm.trim() == name)
    };
    let tasks = fs::read_dir("/proc/self/task").expect("the threads");
    tasks.map(is_it).filter(|is| *is).count()
}

/// How often the threads of watches have given up the processor, in all.
#[cfg(target_os = "linux")]
fn wake_ups() -> u64 {
    let count = |entry: std::io::Result<fs::DirEntry>| -> Option<u64> {
        let status = fs::read_to_string(entry.ok()?.path().join("status")).ok()?;
        let is_one = ["fsx-watch", "notify-rs inoti"].iter().any(|name| status.contains(name));
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        is_one.then(|| count.and_then(|count| count.trim().parse().ok()))?
    };
    fs::read_dir("/proc/self/task").expect("the threads").filter_map(count).sum()
}

#[cfg(target_os = "linux")]
#[test]
fn watch_of_what_does_not_change_never_wakes_up() {
    if !is_alone("watch_of_what_does_not_change_never_wakes_up") {
        return;
    }
    let dir = temp_dir();
    let path = dir.path().join("a");
    let mut watch = watch(&path);
    write(&path, "x").expect("it is written");
    tells(&mut watch, Change::Appeared);
    // What it was told of its own reading has come, too.
    is_silent(&mut watch);
    let before = wake_ups();
    assert!(before > 0);
    is_silent(&mut watch);
    assert_eq!(wake_ups(), before);
}

/// Waits until no thread has this name.
#[cfg(target_os = "linux")]
fn wait_for_none(name: &str) {
    let begin = Instant::now();
    while threads(name) > 0 {
        assert!(begin.elapsed() < SOON, "a thread stays");
        std::thread::yield_now();
    }
}

/// Whether this process runs this test alone. If not, one is started that does, with few files.
#[cfg(target_os = "linux")]
fn is_alone(test: &str) -> bool {
    const FEW_FILES: &str = "ulimit -n 64; exec \"$0\" --exact \"$1\"";
    is_alone_in(std::process::Command::new("sh").args(["-c", FEW_FILES]), test)
}

/// The same, under a program that is told what to run.
#[cfg(target_os = "linux")]
fn is_alone_in(program: &mut std::process::Command, test: &str) -> bool {
    if std::env::var_os("FSX_ALONE").is_some() {
        return true;
    }
    let output = program
        .arg(std::env::current_exe().expect("a test"))
        .arg(format!("watch::{test}"))
        .env("FSX_ALONE", "1")
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    false
}

#[cfg(target_os = "linux")]
#[test]
fn dropped_watch_leaves_no_thread_and_tells_nothing() {
    if !is_alone("dropped_watch_leaves_no_thread_and_tells_nothing") {
        return;
    }
    let dir = temp_dir();
    let path = dir.path().join("a");
    let watches: Vec<_> = (0..5).map(|_| watch(&path)).collect();
    assert_eq!(threads("fsx-watch"), 5);
    write(&path, "x").expect("it is written");
    drop(watches);
    wait_for_none("fsx-watch");
    wait_for_none("notify-rs inoti");
}

#[cfg(target_os = "linux")]
#[test]
fn where_the_kernel_has_no_watch_left_it_is_looked_for_changes() {
    if !is_alone("where_the_kernel_has_no_watch_left_it_is_looked_for_changes") {
        return;
    }
    let dir = temp_dir();
    let path = dir.path().join("a");
    // A watch takes a descriptor, and there are none.
    let files: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
    let mut watch = watch(&path);
    drop(files);
    assert_eq!(threads("notify-rs inoti"), 0);
    write(&path, "x").expect("it is written");
    tells(&mut watch, Change::Appeared);
    write(&path, "y").expect("it is written");
    tells(&mut watch, Change::Changed);
}

/// A limit of this user in a name space of its own: the machine's is nobody's to change in a test.
#[cfg(target_os = "linux")]
#[test]
fn where_no_more_watches_are_allowed_it_is_looked_for_changes() {
    const LIMIT: &str = "echo 0 > /proc/sys/user/max_inotify_watches && exec \"$0\" --exact \"$1\"";
    let test = "where_no_more_watches_are_allowed_it_is_looked_for_changes";
    if std::env::var_os("FSX_ALONE").is_none() {
        let may = std::process::Command::new("unshare").args(["-Ur", "true"]).status();
        if !may.is_ok_and(|status| status.success()) {
            // Where there are no name spaces for users, there is no limit to set.
            return;
        }
    }
    if !is_alone_in(std::process::Command::new("unshare").args(["-Ur", "sh", "-c", LIMIT]), test) {
        return;
    }
    let dir = temp_dir();
    let path = dir.path().join("a");
    let mut watch = watch(&path);
    wait_for_none("notify-rs inoti");
    write(&path, "x").expect("it is written");
    tells(&mut watch, Change::Appeared);
}

#[cfg(target_os = "linux")]
#[test]
fn relative_path_is_that_of_the_folder_it_was_given_in() {
    if !is_alone("relative_path_is_that_of_the_folder_it_was_given_in") {
        return;
    }
    let dir = temp_dir();
    std::env::set_current_dir(dir.path()).expect("it is there");
    let mut watch = watch("a");
    std::env::set_current_dir("/").expect("it is there");
    write(dir.path().join("a"), "x").expect("it is written");
    tells(&mut watch, Change::Appeared);
}

#[tokio::test]
async fn watch_is_a_stream() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    let mut watch =
        underpin_fsx::Watch::at(&path).debounce(QUIET).start().await.expect("it starts");
    write(&path, "x").expect("it is written");
    let next = tokio::time::timeout(SOON, watch.next());
    assert_eq!(next.await.expect("in time"), Some(Change::Appeared));
}
