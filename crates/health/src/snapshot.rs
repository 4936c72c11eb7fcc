//! The whole state at one moment, for people and for who waits for a change.

use std::{fmt::Write as _, sync::atomic::Ordering, time::Duration};

use crate::{
    component::{Kind, Weight},
    record::State,
    registry::Registry,
    verdict::{Probe, Verdict},
};

/// All verdicts and what they are made of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Snapshot {
    /// Whether it has started.
    pub startup: Verdict,
    /// Whether it should be left running.
    pub liveness: Verdict,
    /// Whether it should get traffic.
    pub readiness: Verdict,
    /// Each gate, check, switch and heartbeat.
    pub parts: Vec<Part>,
    pub(crate) version: u64,
    /// Whether the stop had come; readiness is `ShuttingDown` then.
    #[cfg_attr(
        not(feature = "tonic"),
        expect(dead_code, reason = "only a gRPC watch ends with it")
    )]
    pub(crate) stopped: bool,
}

/// One thing that is watched.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Part {
    /// The name it was registered under.
    pub name: String,
    /// `"gate"`, `"check"`, `"switch"`, `"heartbeat"` or `"fatal"`.
    pub kind: &'static str,
    /// For checks and switches.
    pub weight: Option<Weight>,
    /// What it was last seen to be.
    pub state: State,
    /// Why it is down, or the failure that does not count yet.
    pub reason: Option<String>,
    /// Time since the last result, or the last beat.
    pub age: Option<Duration>,
    probe: Probe,
    startup: bool,
}

impl Snapshot {
    pub(crate) fn of(registry: &Registry, now: Duration) -> Self {
        // First, so that a change in between makes this snapshot look old rather than current.
        let version = registry.changes.borrow().version;
        // Before the verdicts, which then cannot be older than it.
        let stopped = registry.stopped.load(Ordering::Acquire);
        let mut parts = Vec::new();
        for gate in registry.gates.iter() {
            parts.push(Part::new(&gate.name, "gate", gate.seen(), Probe::Readiness));
        }
        for component in registry.components.iter() {
            let (state, reason, age) = component.details(now);
            let kind = if component.kind == Kind::Switch { "switch" } else { "check" };
            parts.push(Part {
                weight: Some(component.weight()),
                reason: Some(reason).filter(|reason| !reason.is_empty()),
                age,
                startup: component.is_startup(),
                ..Part::new(&component.name, kind, state, Probe::Readiness)
            });
        }
        for pulse in std::iter::once(&registry.runtime).chain(registry.pulses.iter().map(|p| &**p))
        {
            let Some(age) = pulse.silence(now) else { continue };
            let state = if pulse.is_silent(now) { State::Down } else { State::Up };
            parts.push(Part {
                age: Some(age),
                ..Part::new(&pulse.name, "heartbeat", state, Probe::Liveness)
            });
        }
        if let Some((name, reason)) = registry.fatal.get() {
            parts.push(Part {
                reason: Some(reason.clone()),
                ..Part::new(name, "fatal", State::Down, Probe::Liveness)
            });
        }
        let verdict = |probe| registry.verdict(probe, now);
        Self {
            startup: verdict(Probe::Startup),
            liveness: verdict(Probe::Liveness),
            readiness: verdict(Probe::Readiness),
            parts,
            version,
            stopped,
        }
    }

    /// The verdict on one probe.
    pub fn verdict(&self, probe: Probe) -> Verdict {
        match probe {
            Probe::Startup => self.startup,
            Probe::Liveness => self.liveness,
            Probe::Readiness => self.readiness,
        }
    }

    /// The parts that a verdict is made of, as the members of a JSON array.
    pub(crate) fn parts_json(&self, probe: Probe) -> String {
        let mut json = String::new();
        for part in self.parts.iter().filter(|part| part.matters_to(probe)) {
            let comma = if json.is_empty() { "" } else { "," };
            let _ =
                write!(json, "{comma}{{\"name\":{},\"kind\":\"{}\"", quoted(&part.name), part.kind);
            if let Some(weight) = part.weight {
                let _ = write!(json, ",\"weight\":\"{}\"", weight.word());
            }
            let _ = write!(json, ",\"state\":\"{}\"", part.state.word());
            if let Some(reason) = &part.reason {
                let _ = write!(json, ",\"reason\":{}", quoted(reason));
            }
            if let Some(age) = part.age {
                let _ = write!(json, ",\"age_ms\":{}", age.as_millis());
            }
            json.push('}');
        }
        json
    }
}

impl Part {
    fn new(name: &str, kind: &'static str, state: State, probe: Probe) -> Self {
        let name = name.to_owned();
        Self { name, kind, weight: None, state, reason: None, age: None, probe, startup: false }
    }

    fn matters_to(&self, probe: Probe) -> bool {
        match probe {
            Probe::Startup => self.startup,
            Probe::Liveness => self.probe == Probe::Liveness,
            // Readiness needs a process that is not stuck.
            Probe::Readiness => true,
        }
    }
}

fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
    json
}
