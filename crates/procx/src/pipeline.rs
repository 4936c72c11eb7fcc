//! Commands that are connected.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::Poll,
    time::{Duration, Instant},
};

use crate::{
    child::{Child, Wiring},
    cmd::Cmd,
    error::{Error, ErrorKind},
    output::{Exit, Output},
};

/// Commands whose standard outputs are the standard inputs of the next ones: [`Cmd::pipe`].
///
/// All have one deadline, and end together: when the pipeline is dropped, or one of them cannot be started, all are killed.
/// Standard input is that of the first, standard output that of the last; each keeps its own standard error.
#[derive(Debug, Clone)]
#[must_use = "a pipeline does nothing before it is run"]
pub struct Pipeline {
    stages: Vec<Cmd>,
}

impl Pipeline {
    pub(crate) fn new(first: Cmd, second: Cmd) -> Pipeline {
        let stages = vec![first, second];
        Pipeline { stages }
    }

    /// Adds a command at the end.
    pub fn pipe(mut self, next: Cmd) -> Pipeline {
        self.stages.push(next);
        self
    }

    /// How long all of it may take. Unless set, the first command's [timeout](Cmd::timeout) holds for all.
    pub fn timeout(mut self, limit: Duration) -> Pipeline {
        for stage in &mut self.stages {
            stage.timeout = Some(limit);
        }
        self
    }

    /// Runs it to a successful end, and gives the output of the last command.
    ///
    /// # Errors
    ///
    /// That of the first command in the line that fails. One that SIGPIPE kills because the next one reads no more has not failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills everything the commands have started.
    pub async fn run(self) -> Result<Output, Error> {
        let stages = self.clone().ends().await?;
        let last = stages.len() - 1;
        let mut result = None;
        for (at, (cmd, output)) in self.stages.iter().zip(stages).enumerate() {
            let piped = output.exit == Exit::Signal(rustix::process::Signal::PIPE.as_raw());
            if at == last || !piped {
                result = Some(cmd.check(output)?);
            }
        }
        // The last one is always looked at, and it is the last that was.
        result.ok_or_else(|| Error::new(ErrorKind::Io, &self.stages[last], "has no end"))
    }

    /// Runs it to a successful end and gives its output, without white space at both ends.
    ///
    /// # Errors
    ///
    /// As [`run`](Pipeline::run), and when more was printed than is kept.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills everything the commands have started.
    pub async fn text(self) -> Result<String, Error> {
        let output = self.clone().run().await?;
        self.last().text_of(output)
    }

    /// Runs it to a successful end and reads its output as JSON.
    ///
    /// # Errors
    ///
    /// As [`text`](Pipeline::text), and when it is not JSON of this type.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills everything the commands have started.
    #[cfg(feature = "json")]
    pub async fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, Error> {
        let output = self.clone().run().await?;
        self.last().json_of(output)
    }

    fn last(&self) -> &Cmd {
        &self.stages[self.stages.len() - 1]
    }

    /// How each of them has ended, in their order.
    async fn ends(self) -> Result<Vec<Output>, Error> {
        let timeout = self.stages[0].timeout;
        let started = Instant::now();
        let last = self.stages.len() - 1;
        let mut stdin = None;
        let mut children = Vec::with_capacity(self.stages.len());
        for (at, mut cmd) in self.stages.into_iter().enumerate() {
            cmd.timeout = timeout;
            let mut wiring = Wiring { stdin: stdin.take(), stdout: None, started: Some(started) };
            if at < last {
                let (read, write) = io::pipe().map_err(|error| {
                    Error::new(ErrorKind::Spawn, &cmd, "its streams cannot be made")
                        .with_source(error)
                })?;
                (stdin, wiring.stdout) = (Some(read), Some(write));
            }
            children.push(Child::spawn(cmd, wiring).await?);
        }
        all(children.iter_mut().map(|child| Box::pin(child.wait()) as _).collect()).await
    }
}

type Waiting<'a> = Pin<Box<dyn Future<Output = Result<Output, Error>> + Send + 'a>>;

/// Waits for all of them; the error is that of the first in the line.
async fn all(waiting: Vec<Waiting<'_>>) -> Result<Vec<Output>, Error> {
    let mut waiting: Vec<_> = waiting.into_iter().map(|wait| (wait, None)).collect();
    poll_fn(|cx| {
        for (wait, result) in waiting.iter_mut().filter(|(_, result)| result.is_none()) {
            if let Poll::Ready(ended) = wait.as_mut().poll(cx) {
                *result = Some(ended);
            }
        }
        let done = waiting.iter().all(|(_, result)| result.is_some());
        if done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, result)| result).collect()
}
