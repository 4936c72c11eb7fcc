//! The one thread that writes.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::StoreError;

/// Writes that wait; whoever hands in one more waits too.
const QUEUE: usize = 256;
/// Writes that share a commit at the most. A commit waits for the disk, so under load it serves all that came meanwhile.
const BATCH: usize = 64;

/// The handle to the thread that writes.
pub(super) struct Writer {
    inbox: mpsc::Sender<Message>,
}

enum Message {
    Write(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// A part of a transaction.
trait Job: Send {
    /// Whether all that it has written is to be kept.
    fn run(&mut self, transaction: &Connection) -> bool;
    /// Tells who waits, once the transaction is on the disk or has failed.
    fn tell(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Write<F, T> {
    run: Option<F>,
    result: Option<rusqlite::Result<T>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl Writer {
    pub(super) fn start(mut connection: Connection) -> Result<Writer, StoreError> {
        let (inbox, mut messages) = mpsc::channel(QUEUE);
        let serve = move || {
            let closed = serve(&mut connection, &mut messages);
            // Before anybody hears of it.
            drop((connection, messages));
            if let Some(closed) = closed {
                let _ = closed.send(());
            }
        };
        let thread = thread::Builder::new().name("orders-writer".to_owned()).spawn(serve);
        thread.map_err(|error| StoreError::Thread(Arc::new(error)))?;
        Ok(Writer { inbox })
    }

    /// Runs `write` in a transaction, and returns when that is on the disk. An error takes back what `write` has done, and nothing else.
    ///
    /// # Cancel safety
    ///
    /// Once it was handed in it is done, whether or not anybody waits for it.
    pub(super) async fn write<T, F>(&self, write: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let write = Write { run: Some(write), result: None, answer };
        self.inbox.send(Message::Write(Box::new(write))).await.map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Commits what was handed in before, and closes the file.
    pub(super) async fn close(&self) {
        let (closed, is_closed) = oneshot::channel();
        if self.inbox.send(Message::Close(closed)).await.is_ok() {
            let _ = is_closed.await;
        }
    }
}

/// Goes on until it is told to close, or until nobody is left who could hand anything in.
fn serve(
    connection: &mut Connection,
    messages: &mut mpsc::Receiver<Message>,
) -> Option<oneshot::Sender<()>> {
    loop {
        let mut batch = Vec::new();
        let mut close = None;
        let mut next = Some(messages.blocking_recv()?);
        while let Some(message) = next.take() {
            match message {
                Message::Write(job) => batch.push(job),
                Message::Close(closed) => close = Some(closed),
            }
            if close.is_none() && batch.len() < BATCH {
                next = messages.try_recv().ok();
            }
        }
        // A job that panics takes its batch with it, which is rolled back and told so, and not the thread.
        let committed = catch_unwind(AssertUnwindSafe(|| commit(connection, &mut batch)));
        let committed = committed.unwrap_or(Err(StoreError::Panicked));
        for job in batch {
            job.tell(committed.clone());
        }
        if close.is_some() {
            return close;
        }
    }
}

fn commit(connection: &mut Connection, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    // Immediate: another process is waited for here, where nothing was read yet, and not in the middle.
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in batch {
        let part = transaction.savepoint()?;
        if job.run(&part) { part.commit()? } else { part.finish()? }
    }
    Ok(transaction.commit()?)
}

impl<F, T> Job for Write<F, T>
where
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn run(&mut self, transaction: &Connection) -> bool {
        let result = self.run.take().map(|run| run(transaction));
        let is_ok = matches!(result, Some(Ok(_)));
        self.result = result;
        is_ok
    }

    fn tell(self: Box<Self>, committed: Result<(), StoreError>) {
        // Without a result, the transaction has failed before it came to this part.
        let result = self.result.map(|result| result.map_err(StoreError::from));
        let _ =
            self.answer.send(committed.and_then(|()| result.unwrap_or(Err(StoreError::Panicked))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn writer(path: &std::path::Path) -> Writer {
        let connection = super::super::connect(path).unwrap();
        let writer = Writer::start(connection).unwrap();
        writer.write(|db| db.execute_batch("CREATE TABLE t (n INTEGER UNIQUE)")).await.unwrap();
        writer
    }

    fn insert(n: i64) -> impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static {
        move |db| db.execute("INSERT INTO t VALUES (?1)", [n]).map(drop)
    }

    fn count(path: &std::path::Path) -> i64 {
        let db = Connection::open(path).unwrap();
        db.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
    }

    #[tokio::test]
    async fn an_error_takes_back_its_own_part_of_a_batch_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.db");
        let writer = writer(&path).await;
        let half = |db: &Connection| {
            insert(7)(db)?;
            insert(1)(db)
        };
        // The three are one batch: the thread is busy until they are all handed in.
        let (release, released) = std::sync::mpsc::sync_channel::<()>(0);
        let busy = writer.write(move |_| {
            let _ = released.recv();
            Ok(())
        });
        let (_, first, second, third, ()) = tokio::join!(
            busy,
            writer.write(insert(1)),
            writer.write(half),
            writer.write(insert(2)),
            async move { drop(release) },
        );
        assert!(first.is_ok() && third.is_ok(), "{first:?} {third:?}");
        assert!(matches!(second, Err(StoreError::Sqlite(_))), "{second:?}");
        writer.close().await;
        assert_eq!(count(&path), 2);
    }

    #[tokio::test]
    async fn a_panic_is_told_and_survived() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.db");
        let writer = writer(&path).await;
        let panics = writer.write::<(), _>(|_| panic!("on purpose"));
        assert!(matches!(panics.await, Err(StoreError::Panicked)));
        writer.write(insert(1)).await.unwrap();
        writer.close().await;
        assert_eq!(count(&path), 1);
    }

    #[tokio::test]
    async fn another_process_is_waited_for_and_then_told_of() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.db");
        let connection = super::super::connect(&path).unwrap();
        connection.busy_timeout(std::time::Duration::ZERO).unwrap();
        let writer = Writer::start(connection).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let refused =
            writer.write(|db| db.execute_batch("CREATE TABLE t (n INTEGER UNIQUE)")).await;
        assert!(matches!(refused, Err(StoreError::Busy(_))), "{refused:?}");
        other.execute_batch("ROLLBACK").unwrap();
        writer.write(|db| db.execute_batch("CREATE TABLE t (n INTEGER UNIQUE)")).await.unwrap();
    }

    #[tokio::test]
    async fn what_comes_after_the_close_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let writer = writer(&dir.path().join("t.db")).await;
        writer.close().await;
        writer.close().await;
        assert!(matches!(writer.write(insert(1)).await, Err(StoreError::Closed)));
    }
}
