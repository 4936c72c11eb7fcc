//! What a probe asks, and what it is told.

/// The question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Probe {
    /// Has it started? Once yes, yes for ever.
    Startup,
    /// Should it be restarted? Asks heartbeats and fatal states, never a dependency.
    Liveness,
    /// Should it get traffic?
    Readiness,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// Yes.
    Up,
    /// Readiness only: yes, although something that is shared or optional is down.
    Degraded,
    /// Not yet: a startup check has not passed, or [`Health::run`](crate::Health::run) has not begun.
    Starting,
    /// Readiness only: a gate is closed, or the stop has come.
    ShuttingDown,
    /// Readiness only: something critical is down.
    Unavailable,
    /// Liveness and readiness: a heartbeat is silent, the runtime does not get to run, or a fatal state was reported.
    Stuck,
}

impl Verdict {
    /// Whether the probe passes: [`Up`](Self::Up) or [`Degraded`](Self::Degraded).
    pub const fn passes(self) -> bool {
        matches!(self, Self::Up | Self::Degraded)
    }

    /// 200 where the probe passes, 503 where not.
    pub const fn http_status(self) -> u16 {
        if self.passes() { 200 } else { 503 }
    }

    /// The word for the `status` member of the answer to `probe`.
    pub const fn word(self, probe: Probe) -> &'static str {
        match (self, probe) {
            (Self::Up, Probe::Startup) => "started",
            (Self::Up, Probe::Liveness) => "alive",
            (Self::Up, Probe::Readiness) => "ready",
            (Self::Degraded, _) => "degraded",
            (Self::Starting, _) => "starting",
            (Self::ShuttingDown, _) => "shutting_down",
            (Self::Unavailable, _) => "unavailable",
            (Self::Stuck, _) => "stuck",
        }
    }
}
