//! Threads that do not come back.

use std::{
    future::pending,
    hint, thread,
    time::{Duration, SystemTime},
};

use tokio::{io::AsyncReadExt as _, runtime::Builder, time::sleep};
use underpin_shutdown::{App, Report};

use crate::{block, run, say, streams::stdin_without_writer, until_draining};

/// What the others are compared with.
pub(crate) fn nothing(app: App) -> Report {
    run(app, until_draining)
}

/// One of the two workers, and just after a timer woke it: it takes the timers with it.
pub(crate) fn blocked_worker(app: App) -> Report {
    run(app, |shutdown| async move {
        let blocks = async {
            sleep(Duration::from_millis(10)).await;
            block();
        };
        drop(shutdown.tracker("jobs").spawn("importer", blocks));
        until_draining(shutdown).await;
    })
}

/// All workers: no timer works any more.
pub(crate) fn blocked_workers(app: App) -> Report {
    run(app, |shutdown| async move {
        for name in ["importer", "exporter"] {
            drop(shutdown.tracker("jobs").spawn(name, async { block() }));
        }
        until_draining(shutdown).await;
    })
}

/// All workers, and twice the processors of a small machine as well.
pub(crate) fn busy_workers(app: App) -> Report {
    fn spin() {
        loop {
            hint::spin_loop();
        }
    }
    run(app, |shutdown| async move {
        for name in ["importer", "exporter"] {
            drop(shutdown.tracker("jobs").spawn(name, async { spin() }));
            thread::spawn(spin);
        }
        until_draining(shutdown).await;
    })
}

pub(crate) fn blocked_current_thread(app: App) -> Report {
    let mut runtime = Builder::new_current_thread();
    runtime.enable_all();
    blocked_main(app.runtime(runtime))
}

pub(crate) fn blocked_main(app: App) -> Report {
    run(app, |_| async {
        say("ready");
        block();
    })
}

/// Waits for ever, as an async function should. It says how the wall clock moves, for a parent that moves it.
pub(crate) fn hung_main(app: App) -> Report {
    run(app, |_| async {
        let begin = SystemTime::now();
        let moved = match SystemTime::now().duration_since(begin) {
            Ok(forwards) => format!("forwards by {} s", forwards.as_secs()),
            Err(back) => format!("back by {} s", back.duration().as_secs()),
        };
        say(&format!("the wall clock moves {moved}"));
        say("ready");
        pending::<()>().await;
    })
}

pub(crate) fn blocked_destructor(app: App) -> Report {
    run(app, |shutdown| async move {
        let _blocks = BlocksWhenDropped;
        until_draining(shutdown).await;
    })
}

pub(crate) fn blocking_task(app: App) -> Report {
    run(app, |shutdown| async move {
        drop(tokio::task::spawn_blocking(block));
        until_draining(shutdown).await;
    })
}

/// tokio reads stdin on a thread that nothing can call back.
pub(crate) fn stdin_reader(app: App) -> Report {
    run(app, |shutdown| async move {
        stdin_without_writer();
        let read = async { drop(tokio::io::stdin().read_u8().await) };
        drop(shutdown.tracker("console").spawn("stdin", read));
        until_draining(shutdown).await;
    })
}

pub(crate) fn blocked_after_report(app: App) -> Report {
    let report = run(app, until_draining);
    block();
    report
}

/// The C library runs the destructors of the main thread's locals among its exit handlers.
pub(crate) fn blocked_exit_handler(app: App) -> Report {
    thread_local! {
        static HANDLER: BlocksWhenDropped = const { BlocksWhenDropped };
    }
    HANDLER.with(|_| ());
    run(app, until_draining)
}

struct BlocksWhenDropped;

impl Drop for BlocksWhenDropped {
    fn drop(&mut self) {
        block();
    }
}
