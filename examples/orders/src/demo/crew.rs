//! Clients that go on until they are let go.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use underpin_tasks::Nursery;

pub(super) struct Crew {
    clients: Nursery,
    is_over: IsOver,
}

/// Whether the clients were let go.
#[derive(Debug, Clone, Default)]
pub(super) struct IsOver(Arc<AtomicBool>);

impl IsOver {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Crew {
    /// Starts so many clients, each with what `client` makes for it.
    pub(super) fn start<F, E>(count: usize, client: impl Fn(IsOver) -> F) -> Crew
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
    {
        let crew = Crew { clients: Nursery::new(), is_over: IsOver::default() };
        for _ in 0..count {
            crew.clients.spawn("client", client(crew.is_over.clone()));
        }
        crew
    }

    /// Lets every client finish what it has begun.
    pub(super) fn let_go(&self) {
        self.is_over.0.store(true, Ordering::Relaxed);
    }

    /// Waits for all of them.
    pub(super) async fn ended(self) -> Result<(), &'static str> {
        match self.clients.close().await.panicked {
            0 => Ok(()),
            _ => Err("a client has panicked"),
        }
    }
}
