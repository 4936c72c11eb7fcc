//! Watches what is at a path, not the file that happens to be there.

pub(crate) mod alarm;
mod chain;
mod content;
mod settle;
pub(crate) mod wake;

use std::{
    future::poll_fn,
    io,
    marker::PhantomData,
    path::{self, Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread,
    time::{Duration, Instant},
};

use futures_core::Stream;

pub(crate) use self::settle::Settle;
use self::{
    alarm::{Alarm, Interest, Woken},
    content::Content,
    wake::Wake,
};
use crate::{
    error::{Error, Result},
    handoff::{Receiver, Sender, handoff},
    ticket::{Ticket, Wait, block_on},
};

/// What has become of the content at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// There was nothing, and now there is.
    Appeared,
    /// It is another content.
    Changed,
    /// There is nothing any more.
    Removed,
}

/// The changes of the content at a path, as a stream; the blocking form is [`blocking::Watch`](crate::blocking::Watch).
///
/// The content counts, not the file: replacing it, turning a symbolic link anywhere on the way (as Kubernetes does with a `ConfigMap`), removing and
/// creating it are changes; touching it, changing its mode, or writing the same bytes are none. (A file larger than 1 MiB is known by its inode, size
/// and time of modification alone.) A path that does not exist yet is watched, too.
///
/// A change is told once the path has been quiet for 500 ms, or after 5 s if it never is. What changes while nobody takes the last change is told as one. After
/// the watch is dropped, nothing is.
///
/// The thread `fsx-watch` and one of the crate notify sleep until the kernel wakes them, but for a look every minute. Where the kernel tells nothing, because a file
/// system is remote or a limit on watches is reached, they look every second, which is logged.
///
/// ```
/// # async fn example() -> underpin_fsx::Result<()> {
/// use underpin_fsx::Watch;
///
/// let mut settings = Watch::at("settings.json").start().await?;
/// while let Some(change) = settings.next().await {
///     println!("settings.json: {change:?}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it ends the watch"]
pub struct Watch(Core);

/// The blocking form of [`Watch`](crate::Watch): an iterator that waits for the next change.
#[derive(Debug)]
#[must_use = "dropping it ends the watch"]
pub struct BlockingWatch(Core);

#[derive(Debug)]
struct Core {
    // First, so that the thread ends before it looks at anything else.
    _interest: Interest,
    changes: Receiver<Change>,
}

/// How to watch a path.
#[derive(Debug)]
#[must_use = "nothing is watched before `start`"]
pub struct WatchBuilder<W> {
    path: PathBuf,
    debounce: Duration,
    max_wait: Duration,
    starts: PhantomData<fn() -> W>,
}

impl<W> WatchBuilder<W> {
    fn at(path: &Path) -> WatchBuilder<W> {
        WatchBuilder {
            path: path.to_owned(),
            debounce: Duration::from_millis(500),
            max_wait: Duration::from_secs(5),
            starts: PhantomData,
        }
    }

    /// How long it has to be quiet before a change is told: 500 ms by default.
    pub fn debounce(mut self, quiet: Duration) -> Self {
        self.debounce = quiet;
        self
    }

    /// How long a change is held back at most, if it is never quiet: 5 s by default.
    pub fn max_wait(mut self, most: Duration) -> Self {
        self.max_wait = most;
        self
    }

    fn spawn(self) -> Result<(Core, Arc<Ticket>)> {
        let alarm = Arc::new(Alarm::default());
        let (sender, changes) = handoff(1);
        let started = Ticket::new();
        let interest = Interest(Arc::clone(&alarm));
        let (path, ticket) = (absolute(&self.path), Arc::clone(&started));
        let settle = Settle::new(self.debounce, self.max_wait);
        let run = move || run(&path, alarm, settle, &sender, &ticket);
        let fail = |error: io::Error| Error::io("watch", &self.path, error);
        thread::Builder::new().name("fsx-watch".to_owned()).spawn(run).map_err(fail)?;
        Ok((Core { _interest: interest, changes }, started))
    }
}

impl WatchBuilder<Watch> {
    /// Begins to watch: what changes after it has returned is told.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    ///
    /// # Cancel safety
    ///
    /// Dropped, nothing is watched.
    pub async fn start(self) -> Result<Watch> {
        let (core, started) = self.spawn()?;
        Wait::new(started).await?;
        Ok(Watch(core))
    }
}

impl WatchBuilder<BlockingWatch> {
    /// Begins to watch: what changes after it has returned is told.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub fn start(self) -> Result<BlockingWatch> {
        let (core, started) = self.spawn()?;
        block_on(Wait::new(started))?;
        Ok(BlockingWatch(core))
    }
}

impl Watch {
    /// The path whose content is to be watched.
    pub fn at(path: impl AsRef<Path>) -> WatchBuilder<Watch> {
        WatchBuilder::at(path.as_ref())
    }

    /// Waits for the next change. There is always one more, unless the thread has panicked.
    ///
    /// # Cancel safety
    ///
    /// Dropped, no change is lost.
    pub async fn next(&mut self) -> Option<Change> {
        poll_fn(|cx| self.0.changes.poll_next(cx)).await
    }
}

impl BlockingWatch {
    /// The path whose content is to be watched.
    pub fn at(path: impl AsRef<Path>) -> WatchBuilder<BlockingWatch> {
        WatchBuilder::at(path.as_ref())
    }

    /// Waits so long for the next change.
    pub fn next_within(&mut self, within: Duration) -> Option<Change> {
        self.0.changes.next_within(Some(within))
    }
}

impl Stream for Watch {
    type Item = Change;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Change>> {
        self.0.changes.poll_next(cx)
    }
}

impl Iterator for BlockingWatch {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        self.0.changes.next_within(None)
    }
}

/// Where a path leads now, whatever the current folder is later. One that is gone leads nowhere.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn run(
    path: &Path,
    alarm: Arc<Alarm>,
    mut settle: Settle,
    changes: &Sender<Change>,
    started: &Ticket,
) {
    let mut wake = Wake::new(path, alarm);
    wake.aim();
    let mut known = Content::at(path);
    started.complete(Ok(()));
    loop {
        let woken = wake.wait(settle.due());
        let now = Instant::now();
        if woken == Woken::Over {
            return;
        }
        // Links are followed at once: what happens behind them must be heard.
        wake.aim();
        if woken == Woken::Rung {
            settle.touch(now);
        } else if settle.due().is_none() && !Content::at(path).is_same(&known) {
            // Nobody told; but it may not be over yet.
            settle.touch(now);
        }
        if settle.is_settled(now) {
            // Not compared before the last change has been taken, so that all since is one.
            changes.wait_for_room();
            wake.aim();
            let content = Content::at(path);
            let change = match (&known, &content) {
                _ if known.is_same(&content) => None,
                (_, Content::Missing) => Some(Change::Removed),
                (Content::Missing, _) => Some(Change::Appeared),
                _ => Some(Change::Changed),
            };
            known = content;
            if change.is_some_and(|change| !changes.send(change)) {
                return;
            }
        }
    }
}
