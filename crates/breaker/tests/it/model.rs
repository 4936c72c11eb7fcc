//! Sequences of events against a plain model of what the documentation says.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use underpin_breaker::{Breaker, Outcome, Permit, State, Trip};

#[derive(Debug, Clone)]
enum Event {
    Begin,
    /// One of the calls under way ends.
    End(usize, Outcome),
    Cancel(usize),
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let outcome =
        prop_oneof![Just(Outcome::Success), Just(Outcome::Failure), Just(Outcome::Ignore)];
    prop_oneof![
        4 => Just(Event::Begin),
        4 => (0_usize..8, outcome).prop_map(|(which, outcome)| Event::End(which, outcome)),
        1 => (0_usize..8).prop_map(Event::Cancel),
        2 => (0_u64..60).prop_map(Event::Pass),
    ]
}

/// Milliseconds that it stays open, and that a probe may take.
const OPEN: u64 = 50;
const PROBE: u64 = 40;

struct Model {
    consecutive: u32,
    last: usize,
    successes: u32,
    concurrent: u32,
    state: State,
    stay: u32,
    streak: u32,
    window: Vec<bool>,
    until: u64,
    succeeded: u32,
    out: u32,
    probe_began: u64,
}

impl Model {
    fn go(&mut self, state: State) {
        self.state = state;
        self.stay += 1;
        (self.streak, self.succeeded, self.out) = (0, 0, 0);
        self.window.clear();
    }

    fn begin(&mut self, now: u64) -> Option<(u32, bool)> {
        if self.state == State::Open && now >= self.until {
            self.go(State::HalfOpen);
            self.probe_began = now;
        }
        match self.state {
            State::Closed => Some((self.stay, false)),
            State::HalfOpen => {
                let is_full =
                    self.out == self.concurrent || self.succeeded + self.out == self.successes;
                if is_full && now < self.probe_began + PROBE {
                    return None;
                }
                if is_full {
                    self.go(State::HalfOpen);
                }
                self.out += 1;
                self.probe_began = now;
                Some((self.stay, true))
            }
            _ => None,
        }
    }

    fn end(&mut self, (stay, is_probe): (u32, bool), outcome: Outcome, now: u64) {
        if stay != self.stay {
            return;
        }
        match (is_probe, outcome) {
            (true, Outcome::Ignore) => self.out -= 1,
            (true, Outcome::Success) => {
                self.out -= 1;
                self.succeeded += 1;
                if self.succeeded == self.successes {
                    self.go(State::Closed);
                }
            }
            (true, _) => self.open(now),
            (false, Outcome::Ignore) => {}
            (false, outcome) => {
                let failed = outcome == Outcome::Failure;
                self.streak = if failed { self.streak + 1 } else { 0 };
                self.window.push(failed);
                let recent = &self.window[self.window.len().saturating_sub(self.last)..];
                let failures = recent.iter().filter(|failed| **failed).count();
                let rate = recent.len() == self.last && failures * 2 >= self.last;
                if failed && (self.streak >= self.consecutive || rate) {
                    self.open(now);
                }
            }
        }
    }

    fn open(&mut self, now: u64) {
        self.go(State::Open);
        self.until = now + OPEN;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn breaker_does_what_the_model_does(
        events in prop::collection::vec(event(), 0..200),
        consecutive in 1_u32..5, last in 1_usize..8, successes in 1_u32..4, concurrent in 1_u32..4,
    ) {
        let rate = Trip::rate(0.5).last(u32::try_from(last).unwrap_or(1)).min_calls(u32::try_from(last).unwrap_or(1));
        let breaker = Breaker::builder("model")
            .trip(Trip::consecutive(consecutive))
            .trip(rate)
            .open(Duration::from_millis(OPEN))
            .successes(successes)
            .concurrent_probes(concurrent)
            .probe_timeout(Duration::from_millis(PROBE))
            .build();
        let mut model = Model {
            consecutive, last, successes, concurrent,
            state: State::Closed, stay: 0, streak: 0, window: Vec::new(),
            until: 0, succeeded: 0, out: 0, probe_began: 0,
        };
        // A millisecond on: the breaker counts from when it was made.
        let begin = Instant::now() + Duration::from_millis(1);
        let mut time = 0;
        let mut calls: Vec<(Permit<'_>, (u32, bool))> = Vec::new();
        for event in events {
            let now = begin + Duration::from_millis(time);
            match event {
                Event::Begin if calls.len() < 8 => {
                    let (permit, expected) = (breaker.try_acquire_at(now), model.begin(time));
                    prop_assert_eq!(permit.is_ok(), expected.is_some());
                    if let (Ok(permit), Some(expected)) = (permit, expected) {
                        prop_assert_eq!(permit.is_probe(), expected.1);
                        calls.push((permit, expected));
                    }
                }
                Event::End(which, outcome) if which < calls.len() => {
                    let (permit, ticket) = calls.swap_remove(which);
                    permit.record_at(outcome, now);
                    model.end(ticket, outcome, time);
                }
                Event::Cancel(which) if which < calls.len() => {
                    let (permit, ticket) = calls.swap_remove(which);
                    drop(permit);
                    model.end(ticket, Outcome::Ignore, time);
                }
                Event::Pass(millis) => time += millis,
                _ => {}
            }
            prop_assert_eq!(breaker.state(), model.state);
        }
    }
}
