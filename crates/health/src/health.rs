//! The registry's public face.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::task::JoinHandle;

use crate::{
    check::CheckBuilder,
    heartbeat::Heartbeat,
    registry::{Gate, Registry},
    run,
    snapshot::Snapshot,
    switch::Switch,
    verdict::{Probe, Verdict},
};

/// What a process knows about its own health. Clones are the same one.
///
/// Register first, then [`run`](Self::run), then answer probes: with [`serve`](crate::serve) from a thread of its own, or
/// with [`respond_to`](Self::respond_to) from any server.
#[derive(Clone)]
pub struct Health {
    pub(crate) registry: Arc<Registry>,
}

impl Health {
    /// With nothing to watch; not ready until [`run`](Self::run) is called. The uptime counts from here.
    pub fn new() -> Self {
        Self { registry: Arc::new(Registry::new()) }
    }

    /// Allows `?verbose` to show every part by name, with its reason.
    #[must_use]
    pub fn with_details(self) -> Self {
        self.registry.details.store(true, Ordering::Relaxed);
        self
    }

    /// How long the runtime may leave [`run`](Self::run) without a turn before liveness fails; 10 s if not said.
    ///
    /// Takes effect when `run` is called.
    #[must_use]
    pub fn with_max_stall(self, max_stall: Duration) -> Self {
        self.registry.set_max_stall(max_stall);
        self
    }

    /// Ready only while `open` is true, such as `move || shutdown.phase() == Phase::Running`; `shutting_down` otherwise.
    ///
    /// It is called every 50 ms by [`run`](Self::run) and never by a probe. One that panics is closed.
    #[must_use]
    pub fn gate(
        self,
        name: impl Into<String>,
        open: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        self.registry.gates.push(Gate::new(name.into(), Box::new(open)));
        self
    }

    /// Describes a check, which [`run`](Self::run) runs at an interval of its own.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use underpin_health::{Health, Weight};
    /// # let health = Health::new();
    /// health
    ///     .check("postgres", || async { Ok::<_, std::io::Error>(()) })
    ///     .weight(Weight::Shared)
    ///     .every(Duration::from_secs(5))
    ///     .register();
    /// ```
    pub fn check<F>(&self, name: impl Into<String>, run: F) -> CheckBuilder<F> {
        CheckBuilder::new(Arc::clone(&self.registry), name.into(), run)
    }

    /// A state that somebody else reports. The same name is the same switch.
    ///
    /// # Panics
    ///
    /// Panics if the name is a check's.
    pub fn switch(&self, name: impl Into<String>) -> Switch {
        Switch::new(self.registry.switch(name.into()), Arc::clone(&self.registry))
    }

    /// A sign of life that liveness watches from now on: a silence longer than `max_silence` means that the process is
    /// stuck.
    ///
    /// Several tasks may use one name, and each is watched. A task that takes the place of one that is gone, by
    /// the same name, takes over its watch.
    pub fn heartbeat(&self, name: impl Into<String>, max_silence: Duration) -> Heartbeat {
        let pulse = self.registry.pulse(name.into(), max_silence);
        Heartbeat::new(pulse, Arc::clone(&self.registry))
    }

    /// Says that only a restart helps: liveness fails for good. The first one is kept.
    pub fn fatal(&self, name: impl Into<String>, reason: impl Into<String>) {
        let _ = self.registry.fatal.set((name.into(), reason.into()));
        self.registry.refresh(self.registry.now());
    }

    /// Answers one probe from what was last seen. Takes no lock and runs none of your code.
    pub fn status(&self, probe: Probe) -> Verdict {
        self.registry.verdict(probe, self.registry.now())
    }

    /// Runs the checks, samples the gates and watches the runtime until `stop`, in a task of the current runtime.
    ///
    /// `stop` is where draining begins: from there on readiness is `shutting_down` and liveness 200 for good.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime, without its timer, and if it was called before.
    pub fn run(&self, stop: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let again = self.registry.claimed.swap(true, Ordering::AcqRel);
        assert!(!again, "health runs already: call `run` once");
        // Here, so that a runtime which never gives the task its first turn shows too.
        self.registry.runtime.arm(self.registry.max_stall(), self.registry.now());
        tokio::spawn(run::run(Arc::clone(&self.registry), stop))
    }

    /// Everything as it is now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.registry, self.registry.now())
    }

    /// Waits until something is not as in `since`. No change is lost between two calls, though two may come as one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn changed(&self, since: &Snapshot) -> Snapshot {
        let mut changes = self.registry.changes.subscribe();
        // The sender is in the registry, which `self` keeps.
        let _ = changes.wait_for(|changes| changes.version != since.version).await;
        self.snapshot()
    }

    /// Time since [`new`](Self::new).
    pub fn uptime(&self) -> Duration {
        self.registry.now()
    }

    pub(crate) fn details_allowed(&self) -> bool {
        self.registry.details.load(Ordering::Relaxed)
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health")
            .field("startup", &self.status(Probe::Startup))
            .field("liveness", &self.status(Probe::Liveness))
            .field("readiness", &self.status(Probe::Readiness))
            .finish_non_exhaustive()
    }
}
