//! What a store may fail with.

use std::{error::Error, fmt, io, sync::Arc};

use underpin_fault::Classify;

#[derive(Debug, Clone, Classify)]
pub(crate) enum StoreError {
    #[fault(kind = Unavailable, code = "STORE_CLOSED", message = "the service is stopping")]
    Closed,
    #[fault(kind = Unavailable, code = "STORE_BUSY", message = "the database is busy", retry_after = "1s")]
    Busy(Arc<rusqlite::Error>),
    #[fault(kind = Internal, code = "STORE_FAILED")]
    Sqlite(Arc<rusqlite::Error>),
    #[fault(kind = Internal, code = "STORE_PANICKED")]
    Panicked,
    #[fault(kind = Internal, code = "STORE_FOLDER")]
    Folder(Arc<io::Error>),
    #[fault(kind = Internal, code = "STORE_THREAD")]
    Thread(Arc<io::Error>),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                StoreError::Busy(Arc::new(error))
            }
            _ => StoreError::Sqlite(Arc::new(error)),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StoreError::Busy(error) | StoreError::Sqlite(error) => Some(&**error),
            StoreError::Folder(error) | StoreError::Thread(error) => Some(&**error),
            StoreError::Closed | StoreError::Panicked => None,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StoreError::Closed => "the database is closed",
            StoreError::Busy(_) => "another process holds the database",
            StoreError::Sqlite(_) => "the database failed",
            StoreError::Panicked => "a query panicked",
            StoreError::Thread(_) => "no thread can be started to write",
            StoreError::Folder(_) => {
                "the data folder cannot be made: set DATA_DIR to one that can be written"
            }
        })
    }
}
