//! One supervised child: how it is started, what of it runs, how it is stopped.

use std::{
    borrow::Cow,
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

use crate::{
    contained::Contained,
    failure::{Failure, Panic, Settled},
    supervisor::Restart,
};

pub(super) type BoxError = Box<dyn Error + Send + Sync>;
type Operation = Pin<Box<dyn Future<Output = Settled<(), BoxError>> + Send>>;

/// How long an aborted child may take to be dropped before it counts as leaked: it is in the middle of a poll.
const AFTER_ABORT: Duration = Duration::from_secs(1);

/// Resolves when the child is asked to stop; also when its supervisor is dropped, and whenever it is polled after that.
#[derive(Debug)]
#[must_use = "a child that does not look at it is aborted when its time to stop is over"]
pub struct Stop(Option<oneshot::Receiver<()>>);

impl Future for Stop {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(asked) = &mut self.0 {
            // An error is a dropped sender, which is how it is asked.
            let _ = ready!(Pin::new(asked).poll(cx));
            self.0 = None;
        }
        Poll::Ready(())
    }
}

pub(super) struct Child {
    pub(super) name: Cow<'static, str>,
    pub(super) restart: Restart,
    pub(super) stop_within: Duration,
    start: Box<dyn FnMut(Stop) -> Operation + Send>,
    running: Option<Running>,
}

/// How stopping a child went.
pub(super) enum Stopped {
    Ended(Settled<(), BoxError>),
    Aborted,
    Leaked,
}

struct Running {
    task: JoinHandle<Settled<(), BoxError>>,
    stop: Option<oneshot::Sender<()>>,
}

impl Child {
    pub(super) fn new<F, Fut, E>(
        name: Cow<'static, str>,
        restart: Restart,
        stop_within: Duration,
        mut start: F,
    ) -> Child
    where
        F: FnMut(Stop) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let start = move |stop| -> Operation {
            let operation = Contained::start(|| start(stop));
            Box::pin(async move {
                match operation.await {
                    Ok(result) => result.map_err(|error| Failure::Error(error.into())),
                    Err(failure) => Err(failure.widen()),
                }
            })
        };
        Child { name, restart, stop_within, start: Box::new(start), running: None }
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(super) fn start(&mut self) {
        let (stop, asked) = oneshot::channel();
        let task = tokio::spawn((self.start)(Stop(Some(asked))));
        self.running = Some(Running { task, stop: Some(stop) });
    }

    /// How the child ended, once, by itself.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Settled<(), BoxError>> {
        let Some(running) = &mut self.running else {
            return Poll::Pending;
        };
        let result = ready!(running.poll_end(cx));
        self.running = None;
        Poll::Ready(result)
    }

    /// Asks the child to stop, aborts it when its time is over, and leaves it behind if even that does not end it.
    pub(super) async fn stop(&mut self) -> Option<Stopped> {
        let mut running = self.running.take()?;
        running.stop = None;
        if let Ok(result) = timeout(self.stop_within, running.ended()).await {
            return Some(Stopped::Ended(result));
        }
        running.task.abort();
        let gone = timeout(AFTER_ABORT, running.ended()).await.is_ok();
        Some(if gone { Stopped::Aborted } else { Stopped::Leaked })
    }
}

impl Running {
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Settled<(), BoxError>> {
        Poll::Ready(match ready!(Pin::new(&mut self.task).poll(cx)) {
            Ok(result) => result,
            Err(error) => Err(error
                .try_into_panic()
                .map_or(Failure::Cancelled, |payload| Failure::Panicked(Panic::new(payload)))),
        })
    }

    async fn ended(&mut self) -> Settled<(), BoxError> {
        std::future::poll_fn(|cx| self.poll_end(cx)).await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
