//! What a service may do about a panic.

use std::{future::poll_fn, time::Duration};

use tokio::time::sleep;
use underpin_fault::PanicHook;
use underpin_shutdown::{App, Reason, Report, Shutdown};

use crate::{run, say, until_draining};

/// `main`'s own: the service is over.
pub(crate) fn of_main(app: App) -> Report {
    PanicHook::new().install().expect("the first and only hook");
    run(app, |_| panics())
}

/// A task's: it is logged, and the service goes on.
pub(crate) fn of_task(app: App) -> Report {
    PanicHook::new().install().expect("the first and only hook");
    run(app, |shutdown| async move {
        let task = shutdown.tracker("jobs").spawn("importer", panics());
        say(if task.await.is_err() { "the importer panicked" } else { "the importer went on" });
        until_draining(shutdown).await;
    })
}

/// Any panic, in a service that would rather be started again.
pub(crate) fn stops_service(app: App) -> Report {
    run(app, |shutdown| async move {
        stop_on_panic(shutdown.clone());
        drop(tokio::spawn(panics()));
        until_draining(shutdown).await;
    })
}

fn stop_on_panic(shutdown: Shutdown) {
    let stop = move |panic: &underpin_fault::Panic| {
        shutdown.trigger(Reason::Panic(panic.message().to_owned().into()));
    };
    PanicHook::new().on_panic(stop).install().expect("the first and only hook");
}

async fn panics() {
    sleep(Duration::from_millis(1)).await;
    poll_fn::<(), _>(|_| panic!("boom")).await;
}
