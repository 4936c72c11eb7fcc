//! Words that must get out before the exit, and must not hold it up.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

/// How long the exit may wait for its words where every millisecond counts.
pub(crate) const SHORT: Duration = Duration::from_millis(30);

/// What Kubernetes keeps of a termination message.
const MESSAGE: usize = 4096;

/// Writes to stderr, and before that to the file, if it exists. Stderr may be a pipe that nobody reads, or locked by a
/// thread that waits for such a pipe, so a thread writes and this waits for it no longer than `patience`.
pub(crate) fn say(text: String, file: Option<PathBuf>, patience: Duration) {
    let (done, written) = mpsc::channel();
    let write = move || {
        if let Some(file) = file {
            // There is nobody to tell of a failure.
            let _ = overwrite(&file, &text);
        }
        let _ = io::stderr().write_all(text.as_bytes());
        let _ = done.send(());
    };
    if thread::Builder::new().name("last-words".to_owned()).spawn(write).is_ok() {
        let _ = written.recv_timeout(patience);
    }
}

/// Only what is there: it is the orchestrator's file. Cut afterwards, so that an exit in between leaves no empty file.
fn overwrite(file: &Path, text: &str) -> io::Result<()> {
    let end = (0..=MESSAGE.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    let message = &text.as_bytes()[..end.unwrap_or(0)];
    let mut file = OpenOptions::new().write(true).open(file)?;
    file.write_all(message)?;
    file.set_len(message.len() as u64)
}
