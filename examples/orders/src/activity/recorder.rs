//! The one task that writes.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep},
};
use underpin_fsx::{Error, ErrorKind, Jsonl, State};

use super::{Event, Losses};
use crate::with_causes;

/// The file in the data folder.
pub(crate) const FILE: &str = "activity.jsonl";
/// Files beside it that are full. All together are what can be read.
pub(super) const KEPT: u32 = 3;

/// Events that are appended together, so that they share a flush.
const BATCH: usize = 256;
/// How often a log that cannot be opened is tried again, and how often somebody looks whether all is well.
const TICK: Duration = Duration::from_secs(1);

/// Appends what is told, in its order, until it is told to close and nothing is left.
pub(super) struct Recorder {
    path: PathBuf,
    file_size: u64,
    events: mpsc::Receiver<Event>,
    closing: oneshot::Receiver<Infallible>,
    losses: Arc<Losses>,
    log: Option<Jsonl<Event>>,
    /// When it could not be opened.
    failed: Option<Instant>,
}

impl Recorder {
    pub(super) fn new(
        folder: &Path,
        file_size: u64,
        events: mpsc::Receiver<Event>,
        closing: oneshot::Receiver<Infallible>,
        losses: Arc<Losses>,
    ) -> Recorder {
        let path = folder.join(FILE);
        Recorder { path, file_size, events, closing, losses, log: None, failed: None }
    }

    pub(super) async fn run(mut self) -> Result<(), Infallible> {
        let mut batch = Vec::new();
        loop {
            self.open_if_need_be().await;
            self.losses.look();
            let told = tokio::select! {
                told = self.events.recv_many(&mut batch, BATCH) => told,
                _ = &mut self.closing, if !self.events.is_closed() => {
                    self.events.close();
                    continue;
                }
                () = sleep(TICK) => continue,
            };
            if told == 0 {
                break;
            }
            self.append(&mut batch).await;
        }
        if let Some(log) = self.log.take()
            && let Err(error) = log.close().await
        {
            self.losses.lost(0, &with_causes(&error));
        }
        Ok(())
    }

    /// At the start, after a flush that has failed, and every now and then where it cannot be opened.
    async fn open_if_need_be(&mut self) {
        let is_due = self.failed.is_none_or(|failed| failed.elapsed() >= TICK);
        if self.log.is_none() && is_due {
            let log = Jsonl::at(&self.path).stamped().rotate(self.file_size, KEPT);
            match log.open().await {
                Ok(log) => self.log = Some(log),
                Err(error) => {
                    self.failed = Some(Instant::now());
                    self.losses.lost(0, &with_causes(&error));
                }
            }
        }
    }

    /// Returns when they are on the disk, or lost.
    async fn append(&mut self, batch: &mut Vec<Event>) {
        let Some(log) = &self.log else {
            self.losses.lost(batch.len(), &"the log cannot be opened");
            batch.clear();
            return;
        };
        let results = join_all(batch.iter().map(|event| log.append(event))).await;
        batch.clear();
        let failures: Vec<_> = results.into_iter().filter_map(Result::err).collect();
        let Some(error) = failures.last() else { return };
        self.losses.lost(failures.len(), &with_causes(error));
        // After a flush that has failed it takes nothing more, and is opened again.
        let is_over = |error: &Error| {
            error.state() == State::NotDurable
                || matches!(error.kind(), ErrorKind::Poisoned | ErrorKind::Closed)
        };
        if failures.iter().any(is_over) {
            self.log = None;
        }
    }
}
