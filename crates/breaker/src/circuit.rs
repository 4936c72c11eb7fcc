//! The machine: four words and the steps between them. It is told the time.
//!
//! The healthy path, which is a permit and a success while nothing has failed, reads two words and writes none.

use std::{fmt, time::Duration};

use crate::{
    permit::{Outcome, Recorded},
    ring::Ring,
    rules::Rules,
    sync::{AtomicU32, AtomicU64, Ordering},
    words::{Generation, Kind, Probes, StateWord, Streak, Tick, Window, update},
};

pub(crate) struct Circuit {
    state: AtomicU64,
    streak: AtomicU64,
    window: AtomicU64,
    /// For a rate over a time. Elsewhere in memory: what is written at every call must not lie beside what is read at every call.
    ring: Option<Box<Ring>>,
    probes: AtomicU64,
    /// When the latest probe began.
    probe_began: AtomicU64,
    /// How often it has opened without having been closed for as long as it was open.
    openings: AtomicU32,
    pub(crate) rules: Rules,
}

/// What a permit has to show when it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    generation: Generation,
    pub(crate) is_probe: bool,
}

/// Why there is no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: Kind,
    /// Milliseconds until it is worth asking again.
    pub(crate) retry_in: u64,
}

/// One state has become another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) from: Kind,
    pub(crate) to: StateWord,
    pub(crate) failures: u64,
}

fn ticks(time: Duration) -> Tick {
    // Up: half a millisecond is not nothing.
    let part = time.subsec_nanos().div_ceil(1_000_000);
    time.as_secs().saturating_mul(1000).saturating_add(part.into())
}

impl Circuit {
    pub(crate) fn new(rules: Rules) -> Circuit {
        let closed = StateWord { kind: Kind::Closed, generation: Generation::FIRST, tick: 0 };
        Circuit {
            state: AtomicU64::new(closed.pack()),
            streak: AtomicU64::new(0),
            window: AtomicU64::new(0),
            ring: rules.rate_over.map(|rate| Box::new(Ring::over(ticks(rate.time)))),
            probes: AtomicU64::new(0),
            probe_began: AtomicU64::new(0),
            openings: AtomicU32::new(0),
            rules,
        }
    }

    #[inline]
    pub(crate) fn state(&self) -> StateWord {
        StateWord::unpack(self.state.load(Ordering::Acquire))
    }

    /// Failures in a row, in this stay.
    pub(crate) fn streak(&self) -> u64 {
        let streak = Streak::unpack(self.streak.load(Ordering::Relaxed));
        if streak.generation == self.state().generation { streak.failures } else { 0 }
    }

    /// Whether nothing that is counted would be lost with it.
    pub(crate) fn is_clean(&self, now: Tick) -> bool {
        let state = self.state();
        let window = Window::unpack(self.window.load(Ordering::Relaxed));
        let is_current = window.generation == state.generation;
        let has_failed = self.ring.as_ref().is_some_and(|ring| ring.has_failed(state.tick, now));
        self.streak() == 0 && !(is_current && window.failed != 0) && !has_failed
    }

    /// Whether a success has to be told the time.
    #[inline]
    pub(crate) fn needs_time(&self) -> bool {
        self.ring.is_some()
    }

    /// Changes the state, unless somebody else has.
    fn step(&self, from: StateWord, kind: Kind, tick: Tick) -> Option<StateWord> {
        let to = StateWord { kind, generation: from.generation.next(), tick };
        let order = (Ordering::AcqRel, Ordering::Acquire);
        self.state.compare_exchange(from.pack(), to.pack(), order.0, order.1).ok().map(|_| to)
    }

    /// A permit without a look at the clock, in the usual case.
    #[inline]
    pub(crate) fn admit_closed(&self) -> Option<Ticket> {
        let state = self.state();
        let ticket = Ticket { generation: state.generation, is_probe: false };
        (state.kind == Kind::Closed).then_some(ticket)
    }

    /// What [`admit`](Circuit::admit) says while it is open.
    #[inline]
    pub(crate) fn refuse_open(&self, now: Tick) -> Option<Refusal> {
        let state = self.state();
        let is_open = state.kind == Kind::Open && now < state.tick;
        is_open.then(|| Refusal { kind: Kind::Open, retry_in: state.tick - now })
    }

    pub(crate) fn admit(&self, now: Tick) -> (Result<Ticket, Refusal>, Option<Step>) {
        let mut steps = None;
        loop {
            let state = self.state();
            let generation = state.generation;
            match state.kind {
                Kind::Closed => return (Ok(Ticket { generation, is_probe: false }), steps),
                Kind::Open if now < state.tick => {
                    return (Err(Refusal { kind: Kind::Open, retry_in: state.tick - now }), steps);
                }
                Kind::Open => {
                    // Of all who come now, one changes the state. It still has to get a place like everybody.
                    if let Some(to) = self.step(state, Kind::HalfOpen, 0) {
                        steps = Some(Step { from: Kind::Open, to, failures: 0 });
                    }
                }
                Kind::HalfOpen => match self.admit_probe(state, now) {
                    Some(Ok(())) => return (Ok(Ticket { generation, is_probe: true }), steps),
                    Some(Err(refusal)) => return (Err(refusal), steps),
                    None => {}
                },
            }
        }
    }

    /// `None`: the state is another by now.
    fn admit_probe(&self, state: StateWord, now: Tick) -> Option<Result<(), Refusal>> {
        let word = self.probes.load(Ordering::Acquire);
        let probes = this_stay(Probes::unpack(word), state.generation)?;
        let is_enough = probes.succeeded + probes.in_flight >= self.rules.successes;
        if probes.in_flight >= self.rules.concurrent || is_enough {
            let held = now.saturating_sub(self.probe_began.load(Ordering::Relaxed));
            let timeout = ticks(self.rules.probe_timeout).max(1);
            if held < timeout {
                return Some(Err(Refusal { kind: Kind::HalfOpen, retry_in: timeout - held }));
            }
            // Nobody will give these places back. In a new stay they are free, and what is late has no say.
            self.step(state, Kind::HalfOpen, 0)?;
            return None;
        }
        // Before the place is taken: whoever finds it taken must not read when an earlier probe began. And never back, for a caller who was slow to come here.
        let _ = update(&self.probe_began, |began| (now > began).then_some(now));
        let taken = Probes { in_flight: probes.in_flight + 1, ..probes };
        let order = (Ordering::AcqRel, Ordering::Acquire);
        self.probes.compare_exchange(word, taken.pack(), order.0, order.1).ok()?;
        Some(Ok(()))
    }

    /// A success of a call that was no probe, without a look at the clock.
    #[inline]
    pub(crate) fn record_success(&self, ticket: Ticket) -> Recorded {
        // The usual case writes nothing, and is all that is worth having in the caller's own code.
        let streak = Streak::unpack(self.streak.load(Ordering::Acquire));
        let is_streak = streak.failures > 0 && streak.generation == ticket.generation;
        let is_current = self.state().generation == ticket.generation;
        if is_current && !is_streak && self.rules.rate.is_none() {
            return Recorded::Counted;
        }
        self.count_success(ticket)
    }

    #[inline(never)]
    fn count_success(&self, ticket: Ticket) -> Recorded {
        if self.state().generation != ticket.generation {
            return Recorded::Stale;
        }
        // Nothing to forget: nothing to write.
        let forget = |word| {
            let streak = this_stay(Streak::unpack(word), ticket.generation)?;
            (streak.failures > 0).then(|| Streak { failures: 0, ..streak }.pack())
        };
        let _ = update(&self.streak, forget);
        if let Some(rate) = self.rules.rate {
            let push = |word| {
                let window = this_stay(Window::unpack(word), ticket.generation)?;
                // A full window of successes is the same after one more.
                let is_same = window.calls == rate.last && window.failed == 0;
                (!is_same).then(|| window.push(false, rate.last).pack())
            };
            let _ = update(&self.window, push);
        }
        Recorded::Counted
    }

    /// How a call went, once there is something to count. `outcome` is no [`Outcome::Ignore`].
    pub(crate) fn record(
        &self,
        ticket: Ticket,
        outcome: Outcome,
        now: Tick,
    ) -> (Recorded, Option<Step>) {
        let state = self.state();
        if state.generation != ticket.generation {
            return (Recorded::Stale, None);
        }
        match (ticket.is_probe, outcome) {
            (false, Outcome::Success) => {
                if let Some(ring) = &self.ring {
                    ring.succeed(state.tick, now);
                }
                (self.record_success(ticket), None)
            }
            (false, _) => self.record_failure(state, outcome, now),
            (true, Outcome::Success) => self.record_probe(state, now),
            (true, _) => self.open(state, outcome, 1, now),
        }
    }

    fn record_failure(
        &self,
        state: StateWord,
        outcome: Outcome,
        now: Tick,
    ) -> (Recorded, Option<Step>) {
        let generation = state.generation;
        let count = |word| {
            let streak = this_stay(Streak::unpack(word), generation)?;
            Some(Streak { failures: streak.failures + 1, ..streak }.pack())
        };
        // Counted in any case: the snapshot shows it.
        let Some(streak) = update(&self.streak, count) else { return (Recorded::Stale, None) };
        let streak = Streak::unpack(streak).failures;
        let mut trips = self.rules.consecutive.is_some_and(|most| streak >= most);
        if let Some(rate) = self.rules.rate {
            let push = |word| {
                Some(this_stay(Window::unpack(word), generation)?.push(true, rate.last).pack())
            };
            let Some(window) = update(&self.window, push) else { return (Recorded::Stale, None) };
            let window = Window::unpack(window);
            let (failed, calls) = (window.failures().into(), window.calls.into());
            trips |= rate.is_met(failed, calls);
        }
        if let (Some(rate), Some(ring)) = (self.rules.rate_over, &self.ring) {
            let counts = ring.fail(state.tick, now);
            trips |= rate.is_met(counts.failed, counts.calls);
        }
        if !trips {
            return (Recorded::Counted, None);
        }
        self.open(state, outcome, streak, now)
    }

    fn record_probe(&self, state: StateWord, now: Tick) -> (Recorded, Option<Step>) {
        let succeed = |word| {
            let probes = this_stay(Probes::unpack(word), state.generation)?;
            let in_flight = probes.in_flight.checked_sub(1)?;
            Some(Probes { succeeded: probes.succeeded + 1, in_flight, ..probes }.pack())
        };
        let Some(word) = update(&self.probes, succeed) else { return (Recorded::Stale, None) };
        if Probes::unpack(word).succeeded < self.rules.successes {
            return (Recorded::Counted, None);
        }
        match self.step(state, Kind::Closed, self.fresh(now)) {
            Some(to) => (Recorded::Closed, Some(Step { from: Kind::HalfOpen, to, failures: 0 })),
            None => (Recorded::Stale, None),
        }
    }

    fn open(
        &self,
        state: StateWord,
        outcome: Outcome,
        failures: u64,
        now: Tick,
    ) -> (Recorded, Option<Step>) {
        let openings = self.openings.load(Ordering::Relaxed);
        let before = ticks((self.rules.open)(openings.saturating_sub(1)));
        // One that was closed for as long as it was open before begins anew.
        let is_new = state.kind == Kind::Closed
            && now.saturating_add(1).saturating_sub(state.tick) >= before;
        let nth = if is_new || openings == 0 { 0 } else { openings };
        let usual = (self.rules.open)(nth);
        let wait = match outcome {
            Outcome::FailureFor(told) => usual.max(told.min(self.rules.longest)),
            _ => usual,
        };
        let until = now.saturating_add(ticks(wait).max(1));
        let Some(to) = self.step(state, Kind::Open, until) else { return (Recorded::Stale, None) };
        self.openings.store(nth.saturating_add(1), Ordering::Relaxed);
        (Recorded::Tripped, Some(Step { from: state.kind, to, failures }))
    }

    /// A probe ends without a result.
    pub(crate) fn abandon(&self, ticket: Ticket) {
        if ticket.is_probe {
            let leave = |word| {
                let probes = this_stay(Probes::unpack(word), ticket.generation)?;
                let in_flight = probes.in_flight.checked_sub(1)?;
                Some(Probes { in_flight, ..probes }.pack())
            };
            let _ = update(&self.probes, leave);
        }
    }

    /// The first millisecond of a new closed stay: one in which nothing of an earlier stay was counted, for by that the counts are told apart.
    fn fresh(&self, now: Tick) -> Tick {
        now.max(self.ring.as_ref().map_or(0, |ring| ring.newest())).saturating_add(1)
    }

    /// Closes it, whatever has happened.
    pub(crate) fn reset(&self, now: Tick) -> Option<Step> {
        loop {
            let state = self.state();
            if let Some(to) = self.step(state, Kind::Closed, self.fresh(now)) {
                self.openings.store(0, Ordering::Relaxed);
                let is_change = state.kind != Kind::Closed;
                return is_change.then_some(Step { from: state.kind, to, failures: 0 });
            }
        }
    }
}

/// A word that counts for one generation.
trait Stay: Copy {
    fn generation(self) -> Generation;
    fn empty(generation: Generation) -> Self;
}

/// What a word says of this stay: nothing yet, when it is of an earlier one. `None` when it is of a later one.
fn this_stay<T: Stay>(word: T, generation: Generation) -> Option<T> {
    if word.generation() == generation {
        Some(word)
    } else if word.generation().is_after(generation) {
        None
    } else {
        Some(T::empty(generation))
    }
}

impl Stay for Streak {
    fn generation(self) -> Generation {
        self.generation
    }
    fn empty(generation: Generation) -> Streak {
        Streak { generation, failures: 0 }
    }
}

impl Stay for Window {
    fn generation(self) -> Generation {
        self.generation
    }
    fn empty(generation: Generation) -> Window {
        Window { generation, calls: 0, failed: 0 }
    }
}

impl Stay for Probes {
    fn generation(self) -> Generation {
        self.generation
    }
    fn empty(generation: Generation) -> Probes {
        Probes { generation, succeeded: 0, in_flight: 0 }
    }
}

impl fmt::Debug for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuit").field("state", &self.state()).finish_non_exhaustive()
    }
}

#[cfg(all(test, underpin_loom))]
mod models {
    use std::sync::Arc;

    use loom::thread;

    use super::*;

    fn model(check: impl Fn() + Send + Sync + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(check);
    }

    fn circuit() -> Arc<Circuit> {
        Arc::new(Circuit::new(Rules {
            consecutive: Some(1),
            rate: None,
            rate_over: None,
            open: Box::new(|_| Duration::from_millis(10)),
            longest: Duration::from_secs(1),
            successes: 1,
            concurrent: 1,
            probe_timeout: Duration::from_millis(10),
        }))
    }

    fn fail(circuit: &Circuit, now: Tick) -> Recorded {
        let ticket = circuit.admit(now).0.expect("a permit");
        circuit.record(ticket, Outcome::Failure, now).0
    }

    #[test]
    fn two_callers_after_the_time_are_one_probe_and_one_change() {
        model(|| {
            let circuit = circuit();
            assert_eq!(fail(&circuit, 0), Recorded::Tripped);
            let other = circuit.clone();
            let other = thread::spawn(move || {
                let (admitted, step) = other.admit(10);
                (admitted.is_ok(), step.is_some())
            });
            let (admitted, step) = circuit.admit(10);
            let (also_admitted, also_step) = other.join().unwrap();
            assert!(admitted.is_ok() != also_admitted);
            assert!(step.is_some() != also_step);
        });
    }

    #[test]
    fn third_caller_does_not_take_a_probe_for_a_lost_one() {
        model(|| {
            let circuit = circuit();
            fail(&circuit, 0);
            let admit = |circuit: Arc<Circuit>| move || circuit.admit(20).0.is_ok();
            let others = [(); 2].map(|()| thread::spawn(admit(circuit.clone())));
            let here = circuit.admit(20).0.is_ok();
            let there = others.map(|other| other.join().unwrap());
            let admitted = u32::from(here) + there.map(u32::from).iter().sum::<u32>();
            assert_eq!((admitted, circuit.state().generation.number()), (1, 2));
        });
    }

    #[test]
    fn lost_probe_is_replaced_by_one_and_has_no_say() {
        model(|| {
            let circuit = circuit();
            fail(&circuit, 0);
            let lost = circuit.admit(10).0.expect("a probe");
            let (other, straggler) = (circuit.clone(), circuit.clone());
            let other = thread::spawn(move || other.admit(20).0.is_ok());
            let straggler = thread::spawn(move || straggler.record(lost, Outcome::Success, 20).0);
            let here = circuit.admit(20).0;
            let (there, late) = (other.join().unwrap(), straggler.join().unwrap());
            match late {
                // It was in time: whoever came after it found the breaker closed.
                Recorded::Closed => assert!(here.is_ok() || there || circuit.admit(20).0.is_ok()),
                _ => assert!(!(there && here.is_ok()), "two probes are out"),
            }
        });
    }

    #[test]
    fn straggler_of_an_earlier_stay_opens_nothing() {
        model(|| {
            let circuit = circuit();
            let early = circuit.admit(0).0.expect("a permit");
            fail(&circuit, 0);
            let other = circuit.clone();
            let other = thread::spawn(move || other.record(early, Outcome::Failure, 10).0);
            let probe = circuit.admit(10).0.expect("a probe");
            assert_eq!(circuit.record(probe, Outcome::Success, 10).0, Recorded::Closed);
            assert_eq!(other.join().unwrap(), Recorded::Stale);
            assert_eq!(circuit.state().kind, Kind::Closed);
            assert_eq!(circuit.streak(), 0);
        });
    }
}

#[cfg(all(test, not(underpin_loom)))]
mod tests {
    use super::*;
    use crate::{
        rules::{Rate, RateOver},
        sync::writes,
    };

    fn rules() -> Rules {
        Rules {
            consecutive: None,
            rate: None,
            rate_over: None,
            open: Box::new(|_| Duration::from_secs(30)),
            longest: Duration::from_secs(300),
            successes: 3,
            concurrent: 1,
            probe_timeout: Duration::from_secs(30),
        }
    }

    #[test]
    fn healthy_calls_write_nothing() {
        let circuit = Circuit::new(Rules {
            consecutive: Some(5),
            rate: Some(Rate { failures: 500_000, last: 20, least: 10 }),
            ..rules()
        });
        let call = || {
            let ticket = circuit.admit_closed().expect("it is closed");
            assert_eq!(circuit.record_success(ticket), Recorded::Counted);
        };
        // The window fills, and from then on holds nothing that a success could change.
        (0..20).for_each(|_| call());
        let before = writes();
        (0..1000).for_each(|_| call());
        assert_eq!(writes(), before);
        let ticket = circuit.admit_closed().expect("it is closed");
        circuit.record(ticket, Outcome::Failure, 0);
        assert!(writes() > before, "a failure is written, and seen by this test");
    }

    #[test]
    fn new_stay_begins_after_all_that_was_counted() {
        let second = Duration::from_secs(1);
        // Also in the same millisecond, and when the clock has gone back since.
        for (failed, reset) in [(0, 0), (700, 700), (700, 300)] {
            let circuit = Circuit::new(Rules {
                rate_over: Some(RateOver { failures: 500_000, time: second, least: 20 }),
                ..rules()
            });
            let fail = |now| {
                let ticket = circuit.admit_closed().expect("it is closed");
                circuit.record(ticket, Outcome::Failure, now).0
            };
            (0..19).for_each(|_| assert_eq!(fail(failed), Recorded::Counted));
            circuit.reset(reset);
            (0..19).for_each(|_| assert_eq!(fail(reset), Recorded::Counted));
            assert_eq!(fail(reset), Recorded::Tripped);
        }
    }
}
