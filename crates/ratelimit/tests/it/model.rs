//! Sequences of events against plain logs of what was admitted.
//!
//! The models search where the code computes, and keep everything where the code keeps a word.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use proptest::{prelude::*, test_runner::TestCaseError};
use tokio::time::{Instant, advance};
use underpin_ratelimit::{Denied, Granted, Limit, Limiter, Why};

use crate::block_on_paused;

/// Nanoseconds since the limiter was made.
type Time = u64;

const MILLI: Time = 1_000_000;

#[derive(Debug, Clone, Copy)]
struct Entry {
    asked: Time,
    at: Time,
    n: u32,
    is_back: bool,
    /// Forgotten with the limit it was admitted by.
    is_gone: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Window,
    Gcra { requests: u32, time: Time },
    Fixed,
    TwoWindows,
}

/// All that was ever admitted, in order.
#[derive(Debug)]
struct Model {
    kind: Kind,
    most: u32,
    time: Time,
    log: Vec<Entry>,
    /// The last window of the grid that a place was taken in.
    window: Time,
    /// How many were admitted by the limits before this one.
    changed: usize,
    /// Of a rate, when all of those will have arrived, in fractions of a nanosecond.
    arrival: u128,
}

impl Model {
    fn counted(&self) -> impl Iterator<Item = &Entry> {
        self.log.iter().filter(|entry| !entry.is_back && !entry.is_gone)
    }

    fn count(&self, is_in: impl Fn(Time) -> bool) -> u64 {
        self.counted().filter(|entry| is_in(entry.at)).map(|entry| u64::from(entry.n)).sum()
    }

    fn in_window(&self, number: Time) -> u64 {
        self.count(|at| at / self.time == number)
    }

    fn earliest(&self, now: Time, n: u32) -> Time {
        let (most, need) = (u64::from(self.most), u64::from(n));
        match self.kind {
            Kind::Window => {
                let turn = self.counted().map(|entry| entry.at).fold(now, Time::max);
                let leaving = self.counted().map(|entry| entry.at + self.time);
                let mut times: Vec<Time> = leaving.filter(|at| *at > turn).chain([turn]).collect();
                times.sort_unstable();
                let has_room =
                    |at: &Time| self.count(|other| other + self.time > *at) + need <= most;
                times.into_iter().find(has_room).expect("there is room in the end")
            }
            Kind::Gcra { requests, time } => {
                // In fractions of a nanosecond, as many as there are requests: exact.
                let arrival = self.arrival(requests, time);
                let (requests, time) = (u128::from(requests), u128::from(time));
                let arrival = arrival.max(u128::from(now) * requests) + u128::from(n) * time;
                let at = arrival.saturating_sub(u128::from(self.most) * time).div_ceil(requests);
                now.max(Time::try_from(at).expect("it fits"))
            }
            Kind::Fixed => {
                let first = (now / self.time).max(self.window);
                let mut windows = first..=self.window + 1 + now / self.time;
                let number = windows.find(|number| self.in_window(*number) + need <= most);
                now.max(number.expect("there is room in the end") * self.time)
            }
            Kind::TwoWindows => {
                let first = (now / self.time).max(self.window);
                let mut windows = first..;
                windows.find_map(|number| self.earliest_in(number, now, need)).expect("an end")
            }
        }
    }

    fn arrival(&self, requests: u32, time: Time) -> u128 {
        self.counted().fold(self.arrival, |arrival, entry| {
            let asked = u128::from(entry.asked) * u128::from(requests);
            asked.max(arrival) + u128::from(entry.n) * u128::from(time)
        })
    }

    /// From now on, as much of what was admitted counts as the new limit could have admitted.
    fn change(&mut self, now: Time, kind: Kind, most: u32, time: Time) {
        let last = (now / self.time).max(self.window);
        let start = (last * self.time).max(now);
        let mut keep = Vec::new();
        match (self.kind, kind) {
            (Kind::Window, _) => {
                let left = self.log.iter_mut().filter(|entry| entry.at + self.time <= now);
                left.for_each(|entry| entry.is_gone = true);
            }
            (
                Kind::Gcra { requests, time: per },
                Kind::Gcra { requests: new_requests, time: new_per },
            ) => {
                let arrival = self.arrival(requests, per);
                let ahead = u128::from(self.most) * u128::from(per);
                let last = arrival.saturating_sub(ahead).div_ceil(requests.into());
                let is_waited_for = last > now.into();
                let used_up = last.max(now.into()) * u128::from(new_requests)
                    + u128::from(most) * u128::from(new_per);
                let kept = arrival.div_ceil(requests.into()) * u128::from(new_requests);
                self.arrival = if is_waited_for { used_up } else { kept.min(used_up) };
            }
            (Kind::Fixed, _) => keep.push((start, self.in_window(last))),
            (_, _) if time == self.time => {
                let before = last.wrapping_sub(1);
                keep.push((before.wrapping_mul(time), self.in_window(before)));
                keep.push((last * time, self.in_window(last)));
            }
            (_, _) => keep.push((start, u64::from(self.most - self.remaining(start)))),
        }
        if kind != Kind::Window {
            self.log.iter_mut().for_each(|entry| entry.is_gone = true);
        }
        for (at, count) in keep {
            let n = u32::try_from(count).expect("few").min(most);
            let none = Entry { asked: now, at, n, is_back: n == 0, is_gone: n == 0 };
            self.log.push(none);
        }
        self.changed = self.log.len();
        (self.kind, self.most, self.time, self.window) = (kind, most, time, start / time);
    }

    /// By halves: whatever there is room for, there is room for later in the window.
    fn earliest_in(&self, number: Time, now: Time, need: u64) -> Option<Time> {
        let (before, count) = (self.in_window(number.wrapping_sub(1)), self.in_window(number));
        let has_room = |offset: Time| {
            let covered = u128::from(before) * u128::from(self.time - offset);
            let limit = u128::from(self.most) * u128::from(self.time);
            covered + u128::from(count + need) * u128::from(self.time) <= limit
        };
        let (mut from, mut to) = (now.saturating_sub(number * self.time), self.time);
        while from < to {
            let middle = from + (to - from) / 2;
            if has_room(middle) { to = middle } else { from = middle + 1 }
        }
        (from < self.time).then_some(number * self.time + from)
    }

    fn remaining(&self, now: Time) -> u32 {
        (1..=self.most).rev().find(|n| self.earliest(now, *n) <= now).unwrap_or(0)
    }

    fn take(&mut self, asked: Time, n: u32) -> usize {
        let at = self.earliest(asked, n);
        self.window = self.window.max(at / self.time);
        self.log.push(Entry { asked, at, n, is_back: false, is_gone: false });
        self.log.len() - 1
    }

    fn give_back(&mut self, which: usize) {
        if which < self.changed {
            return;
        }
        let is_last = self.log[which + 1..].iter().all(|entry| entry.is_back);
        if !matches!(self.kind, Kind::Gcra { .. }) || is_last {
            self.log[which].is_back = true;
        }
    }

    /// What each algorithm promises of all that was admitted and kept.
    fn invariant(&self) -> Result<(), TestCaseError> {
        let most = u64::from(self.most);
        for first in self.counted() {
            let in_window = self.count(|at| at >= first.at && at < first.at + self.time);
            match self.kind {
                Kind::Window => prop_assert!(in_window <= most),
                Kind::Fixed | Kind::TwoWindows => {
                    prop_assert!(self.in_window(first.at / self.time) <= most);
                    let is_below = in_window < 2 * most || self.kind == Kind::Fixed;
                    prop_assert!(in_window <= 2 * most && is_below);
                }
                Kind::Gcra { requests, time } => {
                    for last in self.counted().filter(|last| last.at >= first.at) {
                        let count = self.count(|at| at >= first.at && at <= last.at);
                        let above = u128::from(count).saturating_sub(u128::from(self.most));
                        // A place is a whole nanosecond, so the time between two may be one too short.
                        let passed = u128::from(last.at - first.at + 1) * u128::from(requests);
                        prop_assert!(above * u128::from(time) <= passed);
                    }
                }
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone)]
enum Event {
    Check(u32),
    /// With a clock that went back so far.
    CheckBefore(u32, Time),
    Acquire(u32, Time),
    /// One of those that wait gives up.
    Cancel(usize),
    Refund(usize),
    Pass(Time),
    Change(u32, u32, Time),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1_u32..4).prop_map(Event::Check),
        1 => (1_u32..4, 0_u64..30 * MILLI).prop_map(|(n, back)| Event::CheckBefore(n, back)),
        3 => (1_u32..4, 0_u64..60 * MILLI).prop_map(|(n, within)| Event::Acquire(n, within)),
        1 => (0_usize..8).prop_map(Event::Cancel),
        1 => (0_usize..8).prop_map(Event::Refund),
        4 => prop_oneof![0_u64..5 * MILLI, 0_u64..40 * MILLI].prop_map(Event::Pass),
    ]
}

fn change() -> impl Strategy<Value = Event> {
    (1_u32..6, 1_u32..8, time())
        .prop_map(|(requests, burst, time)| Event::Change(requests, burst, time))
}

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![1..=10 * MILLI, Just(10 * MILLI)]
}

fn kind() -> impl Strategy<Value = Kind> {
    let gcra = (1_u32..6, time()).prop_map(|(requests, time)| Kind::Gcra { requests, time });
    prop_oneof![Just(Kind::Window), gcra, Just(Kind::Fixed), Just(Kind::TwoWindows)]
}

/// One that is counted in the same way.
fn limit(kind: Kind, requests: u32, burst: u32, time: Time) -> (Limit, Kind) {
    let nanos = Duration::from_nanos(time);
    match kind {
        Kind::Window => (Limit::window(requests, nanos), kind),
        Kind::Gcra { .. } => {
            (Limit::gcra(requests, nanos).burst(burst), Kind::Gcra { requests, time })
        }
        Kind::Fixed => (Limit::fixed(requests, nanos), kind),
        Kind::TwoWindows => (Limit::two_windows(requests, nanos), kind),
    }
}

struct Waiting<'a> {
    future: Pin<Box<dyn Future<Output = Result<Granted, Denied>> + 'a>>,
    which: usize,
}

fn poll(waiting: &mut Waiting<'_>) -> Poll<Result<Granted, Denied>> {
    waiting.future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

async fn run(limit: Limit, kind: Kind, events: Vec<Event>) -> Result<(), TestCaseError> {
    let limiter = Limiter::builder(limit).keys(1).build();
    let begin = Instant::now();
    let (mut most, time) = (limit.requests(), whole(limit.time()));
    let mut model = Model { kind, most, time, log: Vec::new(), window: 0, changed: 0, arrival: 0 };
    let (mut waiting, mut granted): (Vec<Waiting<'_>>, Vec<(Granted, usize)>) = Default::default();
    let mut latest = 0;
    for event in events {
        let clock = whole(begin.elapsed());
        match event {
            Event::Check(n) | Event::CheckBefore(n, _) => {
                let back = if let Event::CheckBefore(_, back) = event { back } else { 0 };
                let instant = begin.into_std() + Duration::from_nanos(clock.saturating_sub(back));
                let checked = limiter.check_at("key", n, instant);
                if n <= most {
                    latest = latest.max(clock.saturating_sub(back));
                }
                let at = model.earliest(latest, n.min(most));
                match checked {
                    Ok(grant) => {
                        prop_assert!(n <= most && at <= latest);
                        let which = model.take(latest, n);
                        prop_assert_eq!(grant.remaining, model.remaining(latest));
                        granted.push((grant, which));
                    }
                    Err(denied) if n > most => prop_assert_eq!(denied.why, Why::TooMany),
                    Err(denied) => {
                        prop_assert_eq!(denied.why, Why::Limit);
                        prop_assert!(at > latest);
                        prop_assert_eq!(
                            denied.retry_after,
                            Some(Duration::from_nanos(at - latest))
                        );
                        prop_assert_eq!(denied.remaining, model.remaining(latest));
                    }
                }
            }
            Event::Acquire(n, within) if n <= most && waiting.len() < 8 => {
                latest = latest.max(clock);
                let at = model.earliest(latest, n);
                let future = limiter.acquire_n("key", n, Duration::from_nanos(within));
                let mut turn = Waiting { future: Box::pin(future), which: usize::MAX };
                match poll(&mut turn) {
                    Poll::Ready(Err(denied)) => {
                        prop_assert!(at - latest > within);
                        prop_assert_eq!(
                            denied.retry_after,
                            Some(Duration::from_nanos(at - latest))
                        );
                    }
                    Poll::Ready(Ok(grant)) => {
                        prop_assert!(at <= latest);
                        granted.push((grant, model.take(latest, n)));
                    }
                    Poll::Pending => {
                        prop_assert!(at > latest && at - latest <= within);
                        turn.which = model.take(latest, n);
                        waiting.push(turn);
                    }
                }
            }
            Event::Cancel(which) if which < waiting.len() => {
                model.give_back(waiting.swap_remove(which).which);
            }
            Event::Refund(which) if which < granted.len() => {
                let (grant, which) = granted.swap_remove(which);
                limiter.refund(grant);
                model.give_back(which);
            }
            Event::Pass(time) => {
                advance(Duration::from_nanos(time)).await;
                let clock = clock + time;
                for index in (0..waiting.len()).rev() {
                    let (done, at) =
                        (poll(&mut waiting[index]), model.log[waiting[index].which].at);
                    // The timer is up to a millisecond late.
                    let is_due = if done.is_ready() { at <= clock } else { clock < at + 2 * MILLI };
                    prop_assert!(is_due);
                    if let Poll::Ready(grant) = done {
                        let which = waiting.swap_remove(index).which;
                        granted.push((grant.expect("its place came"), which));
                    }
                }
            }
            Event::Change(requests, burst, time) => {
                let (limit, kind) = self::limit(model.kind, requests, burst, time);
                limiter.set_limit(limit);
                latest = latest.max(clock);
                most = limit.requests();
                model.change(latest, kind, most, whole(limit.time()));
            }
            Event::Acquire(..) | Event::Cancel(_) | Event::Refund(_) => {}
        }
    }
    drop(waiting);
    if model.changed == 0 { model.invariant() } else { Ok(()) }
}

fn whole(time: Duration) -> Time {
    Time::try_from(time.as_nanos()).expect("it fits")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(testkit::full_or(20_000, 2000)))]
    #[test]
    fn limiter_does_what_the_logs_allow(
        limit in (kind(), 1_u32..6, 1_u32..8, time()).prop_map(|(kind, n, burst, time)| limit(kind, n, burst, time)),
        events in prop::collection::vec(event(), 0..100),
    ) {
        block_on_paused(run(limit.0, limit.1, events))?;
    }

    /// Of a limit that changes now and then.
    #[test]
    fn changed_limit_counts_what_the_logs_keep(
        limit in (kind(), 1_u32..6, 1_u32..8, time()).prop_map(|(kind, n, burst, time)| limit(kind, n, burst, time)),
        events in prop::collection::vec(prop_oneof![9 => event(), 1 => change()], 0..100),
    ) {
        block_on_paused(run(limit.0, limit.1, events))?;
    }
}
