//! Children that are started again.

mod child;
mod intensity;

use std::{borrow::Cow, error::Error, fmt, future::poll_fn, pin::pin, task::Poll, time::Duration};

use tokio::time::Instant;

use crate::{
    failure::{Failure, Settled},
    supervisor::{
        child::{BoxError, Child, Stopped},
        intensity::Intensity,
    },
};

pub use self::child::Stop;

type Observer = Box<dyn Fn(&ChildEvent<'_>) + Send + Sync>;

/// Which children start again when one of them has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// That one.
    OneForOne,
    /// All of them, because they cannot work without each other.
    OneForAll,
    /// That one and those after it, because they build on those before them.
    RestForOne,
}

/// When a child starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Whenever it has ended.
    Permanent,
    /// When it has failed: with an error or a panic.
    Transient,
    /// Never.
    Temporary,
}

/// What happens to a child, for the observer.
#[derive(Debug)]
#[non_exhaustive]
pub enum ChildEvent<'a> {
    /// It was started, for the first time or again.
    Started {
        /// Its name.
        child: &'a str,
    },
    /// It ended, by itself or because it was asked to.
    Ended {
        /// Its name.
        child: &'a str,
        /// How.
        result: &'a Settled<(), Box<dyn Error + Send + Sync>>,
    },
    /// It did not stop in its time, and was aborted.
    Aborted {
        /// Its name.
        child: &'a str,
    },
    /// It blocks its thread, so that not even aborting has ended it within a second; it was left behind.
    Leaked {
        /// Its name.
        child: &'a str,
    },
}

/// Runs children, starts them again when they end, and stops them in reverse order.
///
/// [`run`](Supervisor::run) is an operation like any other, so a supervisor can be the child of another one.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use underpin_tasks::{Restart, Strategy, Supervisor};
///
/// let mut left = 2;
/// let outcome = Supervisor::new(Strategy::OneForOne)
///     .child("import", Restart::Transient, move |_stop| {
///         left -= 1;
///         async move { if left > 0 { Err("connection lost") } else { Ok(()) } }
///     })
///     .run(std::future::pending::<()>())
///     .await;
/// assert!(outcome.is_ok());
/// # }
/// ```
#[must_use = "nothing starts until `run` is awaited"]
pub struct Supervisor {
    strategy: Strategy,
    intensity: Intensity,
    stop_within: Duration,
    children: Vec<Child>,
    observer: Option<Observer>,
}

impl Supervisor {
    /// A supervisor without children that allows three restarts within five seconds, and each child five seconds to stop.
    pub fn new(strategy: Strategy) -> Supervisor {
        Supervisor {
            strategy,
            intensity: Intensity::new(3, Duration::from_secs(5)),
            stop_within: Duration::from_secs(5),
            children: Vec::new(),
            observer: None,
        }
    }

    /// Allows that many restarts, of all children together, in any window of that length; one more is too many, and ends the supervisor.
    pub fn intensity(self, restarts: u32, within: Duration) -> Supervisor {
        Supervisor { intensity: Intensity::new(restarts, within), ..self }
    }

    /// Gives the children added from here on this long to stop before they are aborted.
    pub fn stop_within(self, budget: Duration) -> Supervisor {
        Supervisor { stop_within: budget, ..self }
    }

    /// Adds a child; children start in the order in which they are added.
    /// `start` is called for every start, with what tells the child to stop.
    pub fn child<F, Fut, E>(
        mut self,
        name: impl Into<Cow<'static, str>>,
        restart: Restart,
        start: F,
    ) -> Supervisor
    where
        F: FnMut(Stop) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.children.push(Child::new(name.into(), restart, self.stop_within, start));
        self
    }

    /// Shows everything that happens to a child to `observer`.
    pub fn on_event(
        self,
        observer: impl Fn(&ChildEvent<'_>) + Send + Sync + 'static,
    ) -> Supervisor {
        Supervisor { observer: Some(Box::new(observer)), ..self }
    }

    /// Runs the children as tasks of the tokio runtime until `stop` resolves, or all have ended for good, and stops what is left, the
    /// last one first, each in its own time.
    ///
    /// # Errors
    ///
    /// [`Broken`] if there were too many restarts, or if a child could not be stopped.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with timers, and with a panic of the observer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future aborts the children; it cannot wait for them.
    pub async fn run(mut self, stop: impl Future) -> Result<(), Broken> {
        let mut stop = pin!(stop);
        let mut broken = Broken { child: None, failure: None, leaked: Vec::new() };
        self.start(0, |_| true);
        while self.children.iter().any(Child::is_running) {
            let next = poll_fn(|cx| {
                if stop.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                let mut children = self.children.iter_mut().enumerate();
                let ended = children.find_map(|(index, child)| match child.poll_end(cx) {
                    Poll::Ready(result) => Some((index, result)),
                    Poll::Pending => None,
                });
                ended.map_or(Poll::Pending, |ended| Poll::Ready(Some(ended)))
            });
            let Some((index, result)) = next.await else {
                break;
            };
            self.tell_end(index, &result);
            if !self.children[index].restart.applies(&result) {
                continue;
            }
            if !self.intensity.admit(Instant::now()) {
                broken.child = Some(self.children[index].name.clone());
                broken.failure = result.err();
                break;
            }
            let (first, last) = match self.strategy {
                Strategy::OneForOne => (index, index),
                Strategy::OneForAll => (0, self.children.len() - 1),
                Strategy::RestForOne => (index, self.children.len() - 1),
            };
            let stopped = self.stop(first, last, &mut broken).await;
            if !broken.leaked.is_empty() {
                // A second copy beside one that cannot be stopped is what supervision is there to prevent.
                break;
            }
            // What had ended for good stays so, and what is temporary is not started twice.
            self.start(first, |at| at == index || stopped.contains(&at));
        }
        if let Some(last) = self.children.len().checked_sub(1) {
            self.stop(0, last, &mut broken).await;
        }
        if broken.child.is_none() && broken.leaked.is_empty() { Ok(()) } else { Err(broken) }
    }

    fn start(&mut self, first: usize, which: impl Fn(usize) -> bool) {
        for at in first..self.children.len() {
            if which(at) {
                self.children[at].start();
                self.tell(&ChildEvent::Started { child: &self.children[at].name });
            }
        }
    }

    /// Stops what runs from `last` down to `first`, and returns which of them are to be started again with the others.
    async fn stop(&mut self, first: usize, last: usize, broken: &mut Broken) -> Vec<usize> {
        let mut again = Vec::new();
        for at in (first..=last).rev() {
            let Some(stopped) = self.children[at].stop().await else {
                continue;
            };
            let child = &*self.children[at].name;
            match stopped {
                Stopped::Ended(result) => self.tell_end(at, &result),
                Stopped::Aborted => self.tell(&ChildEvent::Aborted { child }),
                Stopped::Leaked => {
                    broken.leaked.push(self.children[at].name.clone());
                    self.tell(&ChildEvent::Leaked { child });
                }
            }
            if self.children[at].restart != Restart::Temporary {
                again.push(at);
            }
        }
        again
    }

    fn tell_end(&self, at: usize, result: &Settled<(), BoxError>) {
        self.tell(&ChildEvent::Ended { child: &self.children[at].name, result });
    }

    fn tell(&self, event: &ChildEvent<'_>) {
        log(event);
        if let Some(observer) = &self.observer {
            observer(event);
        }
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let children = self.children.iter().map(|child| &child.name).collect::<Vec<_>>();
        f.debug_struct("Supervisor")
            .field("strategy", &self.strategy)
            .field("intensity", &self.intensity)
            .field("children", &children)
            .finish_non_exhaustive()
    }
}

impl Restart {
    fn applies<E>(self, result: &Settled<(), E>) -> bool {
        match self {
            Restart::Permanent => true,
            Restart::Transient => result.is_err(),
            Restart::Temporary => false,
        }
    }
}

/// Why a supervisor gave up.
#[derive(Debug)]
pub struct Broken {
    child: Option<Cow<'static, str>>,
    failure: Option<Failure<BoxError>>,
    leaked: Vec<Cow<'static, str>>,
}

impl Broken {
    /// The child that would have been restarted once too often.
    pub fn child(&self) -> Option<&str> {
        self.child.as_deref()
    }

    /// How that child failed the last time, unless it just ended.
    pub fn failure(&self) -> Option<&Failure<Box<dyn Error + Send + Sync>>> {
        self.failure.as_ref()
    }

    /// The children that could not be stopped, in the order in which that was found out.
    pub fn leaked(&self) -> impl Iterator<Item = &str> {
        self.leaked.iter().map(|name| &**name)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(child) = &self.child {
            write!(f, "child {child} ended too often")?;
        }
        if !self.leaked.is_empty() {
            let and = if self.child.is_some() { "; " } else { "" };
            write!(f, "{and}left behind because they block: {}", self.leaked.join(", "))?;
        }
        Ok(())
    }
}

impl Error for Broken {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.failure {
            Some(Failure::Error(error)) => Some(&**error),
            Some(Failure::Panicked(panic)) => Some(panic),
            Some(Failure::TimedOut(_) | Failure::Cancelled) | None => None,
        }
    }
}

#[cfg(feature = "tracing")]
fn log(event: &ChildEvent<'_>) {
    match event {
        ChildEvent::Started { child } => {
            tracing::debug!(target: "underpin_tasks", child, "child started");
        }
        ChildEvent::Ended { child, result: Ok(()) } => {
            tracing::debug!(target: "underpin_tasks", child, "child ended");
        }
        ChildEvent::Ended { child, result: Err(failure) } => {
            tracing::error!(target: "underpin_tasks", child, %failure, "child failed");
        }
        ChildEvent::Aborted { child } => {
            tracing::warn!(target: "underpin_tasks", child, "child did not stop in its time and was aborted");
        }
        ChildEvent::Leaked { child } => {
            tracing::error!(target: "underpin_tasks", child, "child blocks and was left behind");
        }
    }
}

#[cfg(not(feature = "tracing"))]
fn log(_: &ChildEvent<'_>) {}
