//! SIGTERM and SIGINT, latched from the first line of main.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Instant,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator,
};

use self::ladder::{Ladder, Step};
use crate::{app::last_words, phase::Reason, shutdown::Shutdown};

mod ladder;

/// SIGTERM and SIGINT, latched from the moment this is [installed](Signals::install).
///
/// The first signal triggers the shutdown, or does so when it is [attached](Signals::attach). Another one at least 300 ms after the
/// first ends the process at once with 128 + its number: 130 for SIGINT, 143 for SIGTERM. What comes in between is one wrapper or
/// terminal that delivers twice, and changes nothing. No other signal is touched.
///
/// Signals are handled by a thread of the name `signals`, so that they work while the runtime does not. The handlers stay for good: a program
/// that installs this and attaches nothing is ended by its second signal.
#[must_use = "a signal is kept until this is attached"]
pub struct Signals {
    shared: Arc<Mutex<State>>,
}

enum State {
    /// Nobody is attached; this signal has come, and when.
    Latched(Option<(i32, Instant)>),
    Attached(Shutdown),
}

impl Signals {
    /// Installs the handlers: the first statement of `main`, for until then a signal ends the process, or, as PID 1, is lost.
    ///
    /// # Errors
    ///
    /// When the system refuses the handlers, the pipe behind them or the thread.
    pub fn install() -> io::Result<Signals> {
        let mut signals = iterator::Signals::new([SIGTERM, SIGINT])?;
        let shared = Arc::new(Mutex::new(State::Latched(None)));
        let state = shared.clone();
        let serve = move || {
            let mut ladder = Ladder::default();
            for signal in signals.forever() {
                match ladder.signal(Instant::now()) {
                    Step::Stop => trigger(&state, signal),
                    Step::Ignore => {}
                    Step::Force => force(&state, signal),
                }
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(serve)?;
        Ok(Signals { shared })
    }

    /// Lets the first signal trigger this shutdown, also when it has come already: its budget is then counted from that moment, as
    /// the grace of whoever sent it is.
    pub fn attach(self, shutdown: &Shutdown) {
        let mut state = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *state, State::Attached(shutdown.clone()));
        drop(state);
        if let State::Latched(Some((signal, at))) = before {
            shutdown.inner.trigger_at(Reason::Signal(signal), at.into());
        }
    }
}

fn trigger(state: &Mutex<State>, signal: i32) {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *state {
        State::Latched(latched) => *latched = Some((signal, Instant::now())),
        State::Attached(shutdown) => {
            let shutdown = shutdown.clone();
            drop(state);
            shutdown.trigger(Reason::Signal(signal));
        }
    }
}

fn force(state: &Mutex<State>, signal: i32) {
    let doing = match &*state.lock().unwrap_or_else(PoisonError::into_inner) {
        State::Latched(_) => "starting".to_owned(),
        State::Attached(shutdown) => shutdown.phase().to_string(),
    };
    let reason = Reason::Signal(signal);
    last_words::say(
        format!("shutdown: forced by a second signal, {reason}, while {doing}\n"),
        None,
        last_words::SHORT,
    );
    signal_hook::low_level::exit(128 + signal);
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals").finish_non_exhaustive()
    }
}
