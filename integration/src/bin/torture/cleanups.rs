//! Cleanups and destructors that do everything but end well.

use std::{
    future::{pending, poll_fn},
    time::Duration,
};

use tokio::time::sleep;
use underpin_shutdown::{App, Reason, Report};

use crate::{block, run, say, until_draining};

pub(crate) fn hung(app: App) -> Report {
    run(app, |shutdown| async move {
        shutdown.defer("hangs", |_| pending::<()>());
        until_draining(shutdown).await;
    })
}

/// Just after a timer woke its worker, which then takes the timers with it.
pub(crate) fn blocking(app: App) -> Report {
    run(app, |shutdown| async move {
        let blocks = shutdown.defer("blocks", |_| async {
            sleep(Duration::from_millis(10)).await;
            block();
        });
        drop(blocks.budget(Duration::from_millis(100)));
        until_draining(shutdown).await;
    })
}

pub(crate) fn panicking(app: App) -> Report {
    run(app, |shutdown| async move {
        shutdown.defer("panics", |_| poll_fn::<(), _>(|_| panic!("boom")));
        until_draining(shutdown).await;
    })
}

/// Asks for a stop, registers, spawns, and waits for its own end.
pub(crate) fn recursive(app: App) -> Report {
    run(app, |shutdown| async move {
        let handle = shutdown.clone();
        shutdown.defer("recursive", move |_| async move {
            if handle.trigger(Reason::Requested("a cleanup".into())) {
                say("a second stop began");
            }
            handle.defer("registered by a cleanup", |_| async { say("closed the late one") });
            drop(handle.tracker("jobs").spawn("too late", pending::<()>()));
            handle.complete().await;
        });
        until_draining(shutdown).await;
    })
}

/// In everything that a stop drops: `main`, a task that it knows, one that it does not know, and a cleanup whose time is up.
pub(crate) fn panicking_destructors(app: App) -> Report {
    run(app, |shutdown| async move {
        let hangs = shutdown.defer("hangs", |_| hold(PanicsWhenDropped));
        drop(hangs.budget(Duration::from_millis(50)));
        drop(shutdown.tracker("jobs").spawn("importer", hold(PanicsWhenDropped)));
        drop(tokio::spawn(hold(PanicsWhenDropped)));
        say("ready");
        hold(PanicsWhenDropped).await;
    })
}

async fn hold(_held: PanicsWhenDropped) {
    pending::<()>().await;
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("bomb");
    }
}
