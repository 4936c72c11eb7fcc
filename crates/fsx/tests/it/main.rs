//! Behaviour, through the public interface.

mod append;
mod atomic;
#[cfg(feature = "tracing")]
mod events;
#[cfg(feature = "watch")]
mod follow;
#[cfg(feature = "tokio")]
mod front;
mod json;
mod read;
#[cfg(feature = "watch")]
mod watch;

use std::{fs, path::Path};

use tempfile::TempDir;

fn temp_dir() -> TempDir {
    tempfile::tempdir().expect("a temp folder")
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).expect("it can be read")
}

/// What is in a folder, sorted.
fn names(dir: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = fs::read_dir(dir).expect("a folder").map(name).collect();
    names.sort();
    names
}
