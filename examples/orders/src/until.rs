//! What ends a process of this program.

use std::{io, thread};

use underpin_shutdown::{Reason, Shutdown};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    Signal,
    /// Also the end of stdin, which is a pipe whose other end the parent holds: so a child does not outlive a parent that was killed.
    SignalOrEof,
}

impl Until {
    /// Has stdin watched, if that is one of the ends. Signals are watched all the time.
    pub(crate) fn watch(self, shutdown: &Shutdown) -> io::Result<()> {
        match self {
            Until::Signal => Ok(()),
            Until::SignalOrEof => stop_at_eof(shutdown),
        }
    }
}

/// On a thread that nobody waits for: it blocks until there is an end.
fn stop_at_eof(shutdown: &Shutdown) -> io::Result<()> {
    let shutdown = shutdown.clone();
    let wait = move || {
        // An error is an end too.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        shutdown.trigger(Reason::Requested("the end of stdin".into()));
    };
    thread::Builder::new().name("orders-stdin".to_owned()).spawn(wait).map(drop)
}
