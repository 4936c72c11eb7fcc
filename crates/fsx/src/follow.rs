//! Follows the lines that are appended at a path, from one file to the next.

mod tail;
mod token;

use std::{
    future::poll_fn,
    io,
    marker::PhantomData,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread,
    time::{Duration, Instant},
};

use futures_core::Stream;

use self::tail::{Fate, Tail};
pub use self::token::Token;
use crate::{
    error::{Error, Result},
    handoff::{Receiver, Sender, handoff},
    read::stats::BadLine,
    ticket::{Ticket, Wait, block_on},
    watch::{
        Settle, absolute,
        alarm::{Alarm, Interest, Woken},
        wake::Wake,
    },
};

const WHAT: &str = "follow";

/// How many lines are read ahead.
const AHEAD: usize = 64;

/// A file that has been rotated away is left once nothing has been written to it for so long, or after the longer time at last.
const QUIET: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(5);

/// How often it is looked at till then; nobody watches the name that it has now.
const LOOK: Duration = Duration::from_millis(100);

/// What is seen by following.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Followed {
    /// A line that has been ended by a line feed, without it. Blank ones are passed over.
    Line(String),
    /// A line that is too long or not UTF-8. Its number counts from where the file was begun.
    Bad(BadLine),
    /// From here on it is another file, from its beginning. Every line of the old one has been told; an end without a line feed is none.
    Rotated,
    /// From here on it is the same file from its beginning: it has been cut off.
    Truncated,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// At the end: what is there is not told, but for a line that is being written. A file that appears later is told from its beginning.
    #[default]
    End,
    /// At the beginning.
    Beginning,
    /// Where [`Follow::token`] was taken. If the file there is another one, [`Followed::Rotated`] comes first, and then all of that.
    Token(Token),
}

/// The lines that are appended at a path, as a stream; the blocking form is [`blocking::Follow`](crate::blocking::Follow).
///
/// When the file is rotated (renamed, removed, linked elsewhere, cut off), the old one is read to its end, and then the new one. A file that is not
/// there yet is waited for. At most 64 lines are read ahead; they wait until they are taken.
///
/// The thread `fsx-follow` and one of the crate notify sleep until the kernel wakes them, as those of [`Watch`](crate::Watch).
///
/// ```
/// # async fn example() -> underpin_fsx::Result<()> {
/// use underpin_fsx::{Follow, Followed, Start};
///
/// let mut log = Follow::at("activity.jsonl").from(Start::Beginning).start().await?;
/// while let Some(followed) = log.next().await {
///     if let Followed::Line(line) = followed? {
///         println!("{line}");
///     }
///     println!("go on at {:?}", log.token().map(|token| token.to_string()));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it ends the following"]
pub struct Follow(Core);

/// The blocking form of [`Follow`](crate::Follow): an iterator that waits for the next line.
#[derive(Debug)]
#[must_use = "dropping it ends the following"]
pub struct BlockingFollow(Core);

#[derive(Debug)]
struct Core {
    // First, so that the thread ends before it looks at anything else.
    _interest: Interest,
    seen: Receiver<Seen>,
    token: Option<Token>,
}

type Seen = Result<(Followed, Token)>;

/// How to follow a path.
#[derive(Debug)]
#[must_use = "nothing is followed before `start`"]
pub struct FollowBuilder<F> {
    options: Options,
    starts: PhantomData<fn() -> F>,
}

#[derive(Debug, Clone)]
struct Options {
    path: PathBuf,
    start: Start,
    max_line: usize,
}

impl<F> FollowBuilder<F> {
    fn at(path: &Path) -> FollowBuilder<F> {
        let options = Options { path: path.to_owned(), start: Start::default(), max_line: 1 << 20 };
        FollowBuilder { options, starts: PhantomData }
    }

    /// Where to begin; at the end by default.
    pub fn from(mut self, start: Start) -> Self {
        self.options.start = start;
        self
    }

    /// The longest line in bytes, its line feed included: 1 MiB by default. A longer one is passed over.
    pub fn max_line(mut self, bytes: usize) -> Self {
        self.options.max_line = bytes;
        self
    }

    fn spawn(self) -> Result<(Core, Arc<Ticket>)> {
        let alarm = Arc::new(Alarm::default());
        let (sender, seen) = handoff(AHEAD);
        let started = Ticket::new();
        let interest = Interest(Arc::clone(&alarm));
        let (options, ticket) = (self.options.clone(), Arc::clone(&started));
        let path = absolute(&options.path);
        let run = move || {
            let thread = Thread { alarm, path: &path, options: &options, seen: &sender };
            let result = thread.run(&ticket);
            if let Err(error) = result {
                let error = Error::io(WHAT, &options.path, error);
                ticket.complete(Err(error.clone()));
                sender.send(Err(error));
            }
        };
        let fail = |error: io::Error| Error::io(WHAT, &self.options.path, error);
        thread::Builder::new().name("fsx-follow".to_owned()).spawn(run).map_err(fail)?;
        Ok((Core { _interest: interest, seen, token: None }, started))
    }
}

impl FollowBuilder<Follow> {
    /// Begins to follow: what is appended after it has returned is told.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be read, or no thread can be started.
    ///
    /// # Cancel safety
    ///
    /// Dropped, nothing is followed.
    pub async fn start(self) -> Result<Follow> {
        let (core, started) = self.spawn()?;
        Wait::new(started).await?;
        Ok(Follow(core))
    }
}

impl FollowBuilder<BlockingFollow> {
    /// Begins to follow: what is appended after it has returned is told.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be read, or no thread can be started.
    pub fn start(self) -> Result<BlockingFollow> {
        let (core, started) = self.spawn()?;
        block_on(Wait::new(started))?;
        Ok(BlockingFollow(core))
    }
}

impl Core {
    fn take(&mut self, seen: Option<Seen>) -> Option<Result<Followed>> {
        Some(seen?.map(|(followed, token)| {
            self.token = Some(token);
            followed
        }))
    }
}

impl Follow {
    /// The path to be followed.
    pub fn at(path: impl AsRef<Path>) -> FollowBuilder<Follow> {
        FollowBuilder::at(path.as_ref())
    }

    /// Waits for what is seen next. An error is the last that there is.
    ///
    /// # Cancel safety
    ///
    /// Dropped, nothing is lost.
    pub async fn next(&mut self) -> Option<Result<Followed>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Where to go on after what was returned last.
    pub fn token(&self) -> Option<Token> {
        self.0.token
    }
}

impl BlockingFollow {
    /// The path to be followed.
    pub fn at(path: impl AsRef<Path>) -> FollowBuilder<BlockingFollow> {
        FollowBuilder::at(path.as_ref())
    }

    /// Waits so long for what is seen next.
    pub fn next_within(&mut self, within: Duration) -> Option<Result<Followed>> {
        let seen = self.0.seen.next_within(Some(within));
        self.0.take(seen)
    }

    /// Where to go on after what was returned last.
    pub fn token(&self) -> Option<Token> {
        self.0.token
    }
}

impl Stream for Follow {
    type Item = Result<Followed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Followed>>> {
        self.0.seen.poll_next(cx).map(|seen| self.0.take(seen))
    }
}

impl Iterator for BlockingFollow {
    type Item = Result<Followed>;

    fn next(&mut self) -> Option<Result<Followed>> {
        let seen = self.0.seen.next_within(None);
        self.0.take(seen)
    }
}

struct Thread<'a> {
    alarm: Arc<Alarm>,
    path: &'a Path,
    options: &'a Options,
    seen: &'a Sender<Seen>,
}

impl Thread<'_> {
    fn run(self, started: &Ticket) -> io::Result<()> {
        let mut wake = Wake::new(self.path, Arc::clone(&self.alarm));
        wake.aim();
        let mut drain = Settle::new(QUIET, LONGEST);
        let (mut tail, mut is_rotated) = self.open(self.options.start)?.unzip();
        started.complete(Ok(()));
        loop {
            if let Some(open) = &mut tail {
                if is_rotated.take() == Some(true) && !self.tell(Followed::Rotated, open) {
                    return Ok(());
                }
                // Looked at before it is read: what is written before it goes is read after that.
                let fate = open.fate(self.path)?;
                let mut has_grown = false;
                if fate != Fate::Truncated {
                    while let Some(followed) = open.next()? {
                        has_grown = true;
                        if !self.tell(followed, open) {
                            return Ok(());
                        }
                    }
                }
                match fate {
                    Fate::Same => {}
                    Fate::Truncated => {
                        tail = self.open(Start::Beginning)?.unzip().0;
                        if tail.as_mut().is_some_and(|tail| !self.tell(Followed::Truncated, tail)) {
                            return Ok(());
                        }
                        continue;
                    }
                    Fate::Gone => {
                        let now = Instant::now();
                        if has_grown || drain.due().is_none() {
                            drain.touch(now);
                        }
                        if drain.is_settled(now) {
                            (tail, is_rotated) = (None, Some(true));
                        }
                    }
                }
            }
            if tail.is_none() {
                tail = self.open(Start::Beginning)?.unzip().0;
                if tail.is_some() {
                    continue;
                }
            }
            let look = drain.due().map(|due| due.min(Instant::now() + LOOK));
            if wake.wait(look) == Woken::Over {
                return Ok(());
            }
            wake.aim();
        }
    }

    fn open(&self, start: Start) -> io::Result<Option<(Tail, bool)>> {
        Tail::open(self.path, start, self.options.max_line)
    }

    /// False: nobody listens.
    fn tell(&self, followed: Followed, tail: &mut Tail) -> bool {
        self.seen.send(Ok((followed, tail.token())))
    }
}
