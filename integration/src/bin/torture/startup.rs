//! A start-up of many stages, each with something to clean up, and the times that its parent wants to know.

use std::{
    hint,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, Timespec, clock_gettime};
use tokio::time::sleep;
use underpin_shutdown::{App, Phase, Report, Shutdown};

use crate::say;

const STAGES: usize = 12;

/// With as much before the first stage, this takes 65 ms.
const STAGE: Duration = Duration::from_millis(5);

/// When `main` began and the handlers were installed, on the clock that all processes share.
pub(crate) struct Clock {
    main: Timespec,
    installed: Timespec,
}

impl Clock {
    pub(crate) fn start() -> Clock {
        let now = clock_gettime(ClockId::Monotonic);
        Clock { main: now, installed: now }
    }

    pub(crate) fn installed(&mut self) {
        self.installed = clock_gettime(ClockId::Monotonic);
    }
}

pub(crate) fn run(app: App, clock: &Clock) -> Report {
    let [main, installed] =
        [clock.main, clock.installed].map(|at| format!("{}.{:09}", at.tv_sec, at.tv_nsec));
    say(&format!("clock {main} {installed}"));
    // Configuration is read before there is a runtime.
    work(STAGE);
    app.run(|shutdown| async move {
        shutdown.startup(start(&shutdown)).await?;
        say("ready");
        shutdown.at(Phase::Draining).await;
        Ok::<_, underpin_shutdown::Interrupted>(())
    })
}

/// Every second stage waits, as for a database; the others work, and cannot be interrupted.
async fn start(shutdown: &Shutdown) {
    for stage in 0..STAGES {
        shutdown.defer(format!("stage {stage}"), move |_| async move {
            say(&format!("closed {stage}"));
        });
        say(&format!("started {stage}"));
        if stage % 2 == 0 {
            sleep(STAGE).await;
        } else {
            work(STAGE);
        }
    }
}

fn work(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        hint::spin_loop();
    }
}
