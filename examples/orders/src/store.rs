//! Orders in a SQLite file, which several processes may share.
//!
//! One thread writes and a few connections read, none of them on a thread of the runtime. With write-ahead logging readers never wait,
//! and a process that is killed loses nothing that it has answered for: every commit is on the disk before anybody hears of it.

mod error;
mod orders;
mod readers;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::Arc,
    time::Duration,
};

use rusqlite::Connection;

pub(crate) use self::{
    error::StoreError,
    orders::{Placed, Sender},
};
use self::{readers::Readers, writer::Writer};

/// How long a statement waits for another process to finish its commit.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(crate) struct Store {
    writer: Arc<Writer>,
    readers: Arc<Readers>,
}

impl Store {
    /// Opens the file in this folder, and makes both if they are not there.
    ///
    /// It blocks, on the disk and on another process that opens it too.
    pub(crate) fn open(folder: &Path) -> Result<Store, StoreError> {
        let _alone = alone(folder).map_err(|error| StoreError::Folder(Arc::new(error)))?;
        let path = folder.join("orders.db");
        let mut connection = connect(&path)?;
        schema::migrate(&mut connection)?;
        let writer = Writer::start(connection)?;
        Ok(Store { writer: Arc::new(writer), readers: Arc::new(Readers::new(path)) })
    }

    /// Whether a read and a commit come through.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.readers.read(|db| db.query_row("SELECT 1", [], |_| Ok(()))).await?;
        self.writer.write(|_| Ok(())).await
    }

    /// Moves what was committed from the log to the file.
    pub(crate) async fn checkpoint(&self) -> Result<(), StoreError> {
        // Outside of a transaction, so not by the writer.
        self.readers.read(|db| db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))).await
    }

    /// Commits what was handed in, and closes the file. Later calls fail.
    pub(crate) async fn close(&self) {
        self.writer.close().await;
        self.readers.close();
    }
}

/// The folder, and nobody else who opens the file: a new one is turned to write-ahead logging, for which SQLite waits for nobody.
fn alone(folder: &Path) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("orders.lock"))?;
    lock.lock()?;
    Ok(lock)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // FULL: in WAL mode, NORMAL would lose the last commits with the power.
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
    Ok(connection)
}
