//! The thread that writes and flushes.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{
    Flush, Options, WHAT,
    log::Log,
    queue::{Batch, Queue},
};
use crate::{
    error::{Error, ErrorKind, Result},
    ticket::Ticket,
};

/// Starts the thread; the ticket tells how the opening went.
pub(super) fn spawn(options: &Options, queue: Arc<Queue>, opened: Arc<Ticket>) -> Result<()> {
    let fail = |error| Error::io(WHAT, &options.path, error);
    let options = options.clone();
    let run = move || {
        // Whatever happens in here, nobody waits in vain.
        let end = End(&queue);
        match Log::open(&options) {
            Ok(log) => {
                if let Some(repaired) = log.repaired {
                    end.0.note_repair(repaired);
                }
                opened.complete(Ok(()));
                Writer { queue: &queue, log, flush: options.flush, flush_by: None, last: 0 }.run();
            }
            Err(error) => opened.complete(Err(error)),
        }
    };
    thread::Builder::new().name("fsx-jsonl".to_owned()).spawn(run).map(drop).map_err(fail)
}

struct Writer<'a> {
    queue: &'a Queue,
    log: Log,
    flush: Flush,
    /// Something is to be flushed by then.
    flush_by: Option<Instant>,
    /// How many records shared the last flush.
    last: usize,
}

impl Writer<'_> {
    fn run(mut self) {
        while let Some(batches) = self.queue.take(self.flush_by, self.last) {
            let flushed = match self.flush {
                Flush::Always => self.write_and_flush(batches),
                Flush::Every(every) => {
                    self.write(batches, every);
                    self.flush_if_due()
                }
                Flush::Never => {
                    self.write(batches, Duration::MAX);
                    Ok(())
                }
            };
            if let Err(error) = flushed {
                return self.poison(error);
            }
        }
        let flushed = if self.flush == Flush::Never { Ok(()) } else { self.log.flush() };
        match flushed {
            Ok(()) => self.queue.end(Ok(())),
            Err(error) => self.poison(error),
        }
    }

    /// Acknowledges what has been flushed.
    fn write_and_flush(&mut self, batches: impl IntoIterator<Item = Batch>) -> Result<()> {
        let mut written = Vec::new();
        for batch in batches {
            match self.append(&batch) {
                Ok(()) => written.push(batch),
                Err(error) => self.queue.settle(batch, Err(error)),
            }
        }
        self.last = written.iter().map(|batch| batch.records).sum();
        let flushed = if written.is_empty() { Ok(()) } else { self.log.flush() };
        for batch in written {
            self.queue.settle(batch, flushed.clone());
        }
        flushed
    }

    /// Acknowledges what has been written.
    fn write(&mut self, batches: impl IntoIterator<Item = Batch>, flush_within: Duration) {
        for batch in batches {
            let result = self.append(&batch);
            if result.is_ok() && self.flush_by.is_none() {
                self.flush_by = Instant::now().checked_add(flush_within);
            }
            self.queue.settle(batch, result);
        }
    }

    fn append(&mut self, batch: &Batch) -> Result<()> {
        let result = self.log.append(&batch.bytes);
        if let Some(repaired) = self.log.repaired.take() {
            self.queue.note_repair(repaired);
        }
        result
    }

    fn flush_if_due(&mut self) -> Result<()> {
        if self.flush_by.is_some_and(|by| by <= Instant::now()) {
            self.flush_by = None;
            self.log.flush()?;
        }
        Ok(())
    }

    /// Flushing has failed, so that the kernel has forgotten what was not written, and nobody knows what is on the disk.
    fn poison(&self, error: Error) {
        #[cfg(feature = "tracing")]
        tracing::error!(
            target: "fsx",
            path = %error.path().display(),
            error = std::error::Error::source(&error).map(tracing::field::display),
            "poisoned by a failed flush"
        );
        self.queue.shut(ErrorKind::Poisoned);
        self.queue.end(Err(error));
    }
}

/// Answers all who still wait when the thread ends.
struct End<'a>(&'a Queue);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let queue = self.0;
        queue.shut(ErrorKind::Closed);
        // None may come after this: the queue is shut.
        while let Some(batches) = queue.take(None, 0) {
            for batch in batches {
                queue.settle(batch, Err(queue.error(ErrorKind::Poisoned)));
            }
        }
        queue.end(Err(queue.error(ErrorKind::Closed)));
    }
}
