//! Connections that only read, a few of them.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{StoreError, connect};

/// Queries at the same time; the next one waits. SQLite answers from memory, so more than there are processors are of no use.
const MOST: usize = 4;

pub(super) struct Readers {
    path: PathBuf,
    turns: Arc<Semaphore>,
    /// `None` once they are closed.
    idle: Arc<Mutex<Option<Vec<Connection>>>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Readers {
        let idle = Arc::new(Mutex::new(Some(Vec::new())));
        Readers { path, turns: Arc::new(Semaphore::new(MOST)), idle }
    }

    /// Runs a query on a thread that may block.
    ///
    /// # Cancel safety
    ///
    /// A query that has begun goes on to its end; its result is lost.
    pub(super) async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (idle, path) = (self.idle.clone(), self.path.clone());
        let query = move || {
            let _turn = turn;
            let known = lock(&idle).as_mut().ok_or(StoreError::Closed)?.pop();
            let connection = match known {
                Some(connection) => connection,
                None => connect(&path)?,
            };
            let result = query(&connection);
            if let Some(idle) = &mut *lock(&idle) {
                idle.push(connection);
            }
            Ok(result?)
        };
        spawn_blocking(query).await.unwrap_or(Err(StoreError::Panicked))
    }

    pub(super) fn close(&self) {
        self.turns.close();
        let closed = lock(&self.idle).take();
        drop(closed);
    }
}

fn lock(idle: &Mutex<Option<Vec<Connection>>>) -> MutexGuard<'_, Option<Vec<Connection>>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
