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
    error::{Error, ErrorKind, Result, State},
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
                    self.write(batches, every).and_then(|()| self.flush_if_due())
                }
                Flush::Never => self.write(batches, Duration::MAX),
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
        let appended = self.append_all(batches, |_, batch| written.push(batch));
        self.last = written.iter().map(|batch| batch.records).sum();
        let flushed =
            appended.and_then(|()| if written.is_empty() { Ok(()) } else { self.log.flush() });
        for batch in written {
            self.queue.settle(batch, flushed.clone());
        }
        flushed
    }

    /// Acknowledges what has been written.
    fn write(
        &mut self,
        batches: impl IntoIterator<Item = Batch>,
        flush_within: Duration,
    ) -> Result<()> {
        self.append_all(batches, |writer, batch| {
            if writer.flush_by.is_none() {
                writer.flush_by = Instant::now().checked_add(flush_within);
            }
            writer.queue.settle(batch, Ok(()));
        })
    }

    /// Answers those whose records are not in the file, and leaves the others to `appended`.
    ///
    /// An error is a file that could not be flushed before it was left for the next one. Nothing is written after that.
    fn append_all(
        &mut self,
        batches: impl IntoIterator<Item = Batch>,
        mut appended: impl FnMut(&mut Self, Batch),
    ) -> Result<()> {
        let mut flushed = Ok(());
        for batch in batches {
            let result = match &flushed {
                Ok(()) => self.append(&batch),
                Err(_) => Err(self.queue.error(ErrorKind::Poisoned)),
            };
            match result {
                Ok(()) => appended(self, batch),
                Err(error) if error.state() == State::NotDurable => {
                    // Those before it may be lost; this one is in no file.
                    self.queue.settle(batch, Err(self.queue.error(ErrorKind::Poisoned)));
                    flushed = Err(error);
                }
                Err(error) => self.queue.settle(batch, Err(error)),
            }
        }
        flushed
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
