//! All that is watched, and the rules that make a verdict of it. Nothing here reads a clock but [`Registry::now`].

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use crate::{
    check::Runner,
    component::{Component, Kind, Weight},
    heartbeat::Pulse,
    list::List,
    record::{State, micros},
    verdict::{Probe, Verdict},
};

/// How long the runtime may keep [`Health::run`](crate::Health::run) waiting, if nothing else is said.
const MAX_STALL: Duration = Duration::from_secs(10);

pub(crate) struct Registry {
    epoch: Instant,
    pub(crate) components: List<Component>,
    pub(crate) gates: List<Gate>,
    pub(crate) pulses: List<Pulse>,
    /// Beaten by `run`, so that it is silent when the runtime is starved.
    pub(crate) runtime: Pulse,
    max_stall: AtomicU64,
    pub(crate) fatal: OnceLock<(String, String)>,
    /// Whether `run` was called.
    pub(crate) claimed: AtomicBool,
    /// Whether it has had its first turn.
    pub(crate) running: AtomicBool,
    pub(crate) stopped: AtomicBool,
    pub(crate) details: AtomicBool,
    started: AtomicBool,
    /// Checks that `run` has not taken up yet. Held by registration and by `run`, never by a probe.
    pub(crate) pending: Mutex<Vec<Runner>>,
    pub(crate) changes: watch::Sender<Changes>,
}

/// Tells whoever waits that something is not as it was.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Changes {
    pub(crate) version: u64,
    fingerprint: u64,
    verdicts: Option<[Verdict; 3]>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        let registry = Self {
            epoch: Instant::now(),
            components: List::new(),
            gates: List::new(),
            pulses: List::new(),
            runtime: Pulse::new("runtime".to_owned()),
            max_stall: AtomicU64::new(0),
            fatal: OnceLock::new(),
            claimed: AtomicBool::new(false),
            running: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            details: AtomicBool::new(false),
            started: AtomicBool::new(false),
            pending: Mutex::default(),
            changes: watch::Sender::default(),
        };
        registry.set_max_stall(MAX_STALL);
        registry
    }

    /// Time since the registry was made.
    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    pub(crate) fn set_max_stall(&self, max_stall: Duration) {
        self.max_stall.store(micros(max_stall), Ordering::Relaxed);
    }

    pub(crate) fn max_stall(&self) -> Duration {
        Duration::from_micros(self.max_stall.load(Ordering::Relaxed))
    }

    pub(crate) fn verdict(&self, probe: Probe, now: Duration) -> Verdict {
        match probe {
            Probe::Startup if self.started.load(Ordering::Acquire) => Verdict::Up,
            Probe::Startup => Verdict::Starting,
            Probe::Liveness => self.liveness(now),
            Probe::Readiness => self.readiness(now),
        }
    }

    fn liveness(&self, now: Duration) -> Verdict {
        // During the shutdown tasks end and fall silent, as they should; a restart would only get in its way.
        if self.stopped.load(Ordering::Acquire) {
            return Verdict::Up;
        }
        let stuck = self.fatal.get().is_some()
            || self.runtime.is_silent(now)
            || self.pulses.iter().any(|pulse| pulse.is_silent(now));
        if stuck { Verdict::Stuck } else { Verdict::Up }
    }

    fn readiness(&self, now: Duration) -> Verdict {
        if self.stopped.load(Ordering::Acquire) {
            return Verdict::ShuttingDown;
        }
        // Before the gates: they are sampled by `run`, which does not get to it on a starved runtime.
        if self.liveness(now) == Verdict::Stuck {
            return Verdict::Stuck;
        }
        if self.gates.iter().any(|gate| gate.seen() == State::Down) {
            return Verdict::ShuttingDown;
        }
        let started = self.started.load(Ordering::Acquire);
        if !started || self.gates.iter().any(|gate| gate.seen() == State::Unknown) {
            return Verdict::Starting;
        }
        let mut verdict = Verdict::Up;
        for component in self.components.iter() {
            match (component.state(now), component.weight()) {
                (State::Up, _) => {}
                (_, Weight::Critical) => return Verdict::Unavailable,
                (_, Weight::Shared | Weight::Optional) => verdict = Verdict::Degraded,
            }
        }
        verdict
    }

    /// Latches startup, and tells who waits if anything is different from the last time.
    pub(crate) fn refresh(&self, now: Duration) {
        let waiting = |c: &Arc<Component>| c.is_startup() && !c.has_passed();
        if self.running.load(Ordering::Acquire) && !self.components.iter().any(waiting) {
            self.started.store(true, Ordering::Release);
        }
        let mut turned = [None; 3];
        self.changes.send_if_modified(|changes| {
            // Computed under the lock of the channel, so that an older look never overwrites a newer one.
            let probes = [Probe::Startup, Probe::Liveness, Probe::Readiness];
            let verdicts = probes.map(|probe| self.verdict(probe, now));
            let fingerprint = self.fingerprint(verdicts, now);
            if fingerprint == changes.fingerprint {
                return false;
            }
            for (slot, probe) in turned.iter_mut().zip(probes) {
                let of = |verdicts: [Verdict; 3]| verdicts[probe as usize];
                let before = changes.verdicts.map(of);
                *slot = (before != Some(of(verdicts))).then_some((probe, of(verdicts)));
            }
            *changes =
                Changes { version: changes.version + 1, fingerprint, verdicts: Some(verdicts) };
            true
        });
        for (probe, verdict) in turned.into_iter().flatten() {
            log_verdict(probe, verdict);
        }
    }

    fn fingerprint(&self, verdicts: [Verdict; 3], now: Duration) -> u64 {
        let mut hasher = DefaultHasher::new();
        verdicts.hash(&mut hasher);
        self.stopped.load(Ordering::Acquire).hash(&mut hasher);
        for gate in self.gates.iter() {
            gate.seen().hash(&mut hasher);
        }
        for component in self.components.iter() {
            component.state(now).hash(&mut hasher);
        }
        for pulse in self.pulses.iter() {
            pulse.is_silent(now).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Finds or makes a switch.
    ///
    /// # Panics
    ///
    /// Panics if the name is a check's.
    pub(crate) fn switch(&self, name: String) -> Arc<Component> {
        let _registering = self.registering();
        match self.components.iter().find(|component| component.name == name) {
            None => self.components.push(Component::new(name, Kind::Switch)),
            Some(known) => {
                assert!(
                    known.kind == Kind::Switch,
                    "{name:?} is a check: give the switch another name"
                );
                Arc::clone(known)
            }
        }
    }

    /// # Panics
    ///
    /// Panics if the name is taken.
    pub(crate) fn check(&self, name: String, max_age: Duration) -> Arc<Component> {
        let _registering = self.registering();
        let taken = self.components.iter().any(|component| component.name == name);
        assert!(!taken, "{name:?} is registered already: give each check a name of its own");
        self.components.push(Component::new(name, Kind::Check { max_age }))
    }

    /// A pulse that a task left behind is armed again by the task that replaces it; one that is held belongs to another
    /// task of the same name, which must not be masked.
    pub(crate) fn pulse(&self, name: String, max_silence: Duration) -> Arc<Pulse> {
        let _registering = self.registering();
        let left = self.pulses.iter().find(|pulse| pulse.name == name && !pulse.is_held());
        let pulse = left.cloned().unwrap_or_else(|| self.pulses.push(Pulse::new(name)));
        pulse.arm(max_silence, self.now());
        pulse
    }

    fn registering(&self) -> std::sync::MutexGuard<'_, Vec<Runner>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn queue(&self, runner: Runner) {
        self.registering().push(runner);
    }

    pub(crate) fn take_queued(&self) -> Vec<Runner> {
        std::mem::take(&mut *self.registering())
    }
}

pub(crate) struct Gate {
    pub(crate) name: String,
    pub(crate) open: Box<dyn Fn() -> bool + Send + Sync>,
    seen: AtomicU8,
}

impl Gate {
    pub(crate) fn new(name: String, open: Box<dyn Fn() -> bool + Send + Sync>) -> Self {
        Self { name, open, seen: AtomicU8::new(0) }
    }

    /// What it was when it was last sampled.
    pub(crate) fn seen(&self) -> State {
        match self.seen.load(Ordering::Acquire) {
            0 => State::Unknown,
            1 => State::Up,
            _ => State::Down,
        }
    }

    /// A gate that panics is closed.
    pub(crate) fn sample(&self) {
        let open = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (self.open)()));
        self.seen.store(if open.unwrap_or(false) { 1 } else { 2 }, Ordering::Release);
    }
}

#[cfg(feature = "tracing")]
fn log_verdict(probe: Probe, verdict: Verdict) {
    let status = verdict.word(probe);
    if verdict.passes() {
        tracing::info!(target: "underpin_health", ?probe, status, "a probe turned");
    } else {
        tracing::warn!(target: "underpin_health", ?probe, status, "a probe turned");
    }
}

#[cfg(not(feature = "tracing"))]
fn log_verdict(_: Probe, _: Verdict) {}
