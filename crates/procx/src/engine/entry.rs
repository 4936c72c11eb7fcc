//! The way of one child to its end.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{
    engine::{Ended, Rules},
    tree::{Glance, Tree},
};

/// What a child left behind may write on for this long, if its output is read; the reader's own cap is 2 s.
const LONGEST_DRAIN: Duration = Duration::from_millis(2500);
/// After SIGKILL nothing should be left within this time; a process that is stuck in the kernel may be.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pauses between looks at what is left.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// A child that is not reaped yet.
#[derive(Debug)]
pub(super) struct Entry {
    tree: Arc<Tree>,
    state: State,
    rules: Rules,
    exited_at: Option<Instant>,
    drained: bool,
    timed_out: bool,
    leftovers_killed: u32,
    /// When to look the next time, and the pause after that.
    look_at: Option<Instant>,
    pause: Duration,
    tell_exited: Option<oneshot::Sender<()>>,
    tell_ended: Option<oneshot::Sender<Ended>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Until the deadline.
    Running,
    /// The leader has ended by itself, and the rest of its output is read until then.
    Draining {
        until: Instant,
    },
    /// Asked to end, until then; for ever, if the grace is longer than a clock counts.
    Stopping {
        until: Option<Instant>,
    },
    /// Killed, and looked at until nothing is left, or until then.
    Killing {
        until: Instant,
    },
    /// Given up, and reaped if it ends after all.
    Stuck,
    Over,
}

impl Entry {
    pub(super) fn new(
        tree: Arc<Tree>,
        rules: Rules,
        tell_exited: oneshot::Sender<()>,
        tell_ended: oneshot::Sender<Ended>,
    ) -> Entry {
        Entry {
            tree,
            state: State::Running,
            rules,
            exited_at: None,
            drained: false,
            timed_out: false,
            leftovers_killed: 0,
            look_at: None,
            pause: SHORTEST_PAUSE,
            tell_exited: Some(tell_exited),
            tell_ended: Some(tell_ended),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// When to call [`look`](Entry::look) at the latest.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let turn = match self.state {
            State::Running => self.rules.deadline,
            State::Draining { until } | State::Killing { until } => Some(until),
            State::Stopping { until } => until,
            State::Stuck | State::Over => None,
        };
        turn.into_iter().chain(self.look_at).min()
    }

    /// The leader has ended. It stays unreaped for as long as its number is needed.
    pub(super) fn exited(&mut self, now: Instant, glance: &mut Glance) {
        self.exited_at = Some(now);
        if self.state == State::Running {
            self.tell_exited();
        }
        match self.state {
            State::Running if self.rules.background => self.finish(Ok(Vec::new())),
            State::Running if self.drained => self.settle(now, glance),
            State::Running => {
                let until = now + LONGEST_DRAIN;
                let until = self.rules.deadline.map_or(until, |deadline| until.min(deadline));
                self.state = State::Draining { until };
            }
            State::Stuck => self.finish(Ok(Vec::new())),
            _ => self.look_soon(now),
        }
    }

    /// Nobody reads its output any more.
    pub(super) fn drained(&mut self, now: Instant, glance: &mut Glance) {
        self.drained = true;
        if matches!(self.state, State::Draining { .. }) {
            self.settle(now, glance);
        }
    }

    /// Asks for the end, the polite way first.
    pub(super) fn stop(&mut self, now: Instant, glance: &mut Glance) {
        if self.state != State::Running {
            return;
        }
        self.state = State::Stopping { until: now.checked_add(self.rules.grace) };
        self.tree.ask_to_end(glance);
    }

    /// Ends everything, now.
    pub(super) fn kill(&mut self, now: Instant) {
        if matches!(self.state, State::Killing { .. } | State::Stuck | State::Over) {
            return;
        }
        self.leftovers_killed += self.tree.kill();
        self.state = State::Killing { until: now + PATIENCE };
        self.pause = SHORTEST_PAUSE;
        self.look_soon(now);
    }

    /// Looks at the clock, and at what is left.
    pub(super) fn look(&mut self, now: Instant, glance: &mut Glance) {
        if self.next_look().is_none_or(|at| now < at) {
            return;
        }
        let looked_at = self.look_at.take_if(|at| *at <= now).is_some();
        match self.state {
            State::Running => {
                self.timed_out = true;
                self.stop(now, glance);
            }
            State::Draining { until } if until <= now => self.settle(now, glance),
            State::Stopping { until } => {
                if looked_at && self.exited_at.is_some() && self.is_alone(glance) {
                    self.finish(Ok(Vec::new()));
                } else if until.is_some_and(|until| until <= now) {
                    self.kill(now);
                } else if looked_at {
                    self.look_later(now);
                }
            }
            State::Killing { until } => self.confirm(now, glance, until),
            State::Draining { .. } | State::Stuck | State::Over => {}
        }
    }

    /// The leader has ended by itself: what it left behind is killed.
    fn settle(&mut self, now: Instant, glance: &mut Glance) {
        if self.is_alone(glance) {
            self.finish(Ok(Vec::new()));
        } else {
            self.kill(now);
        }
    }

    /// Kills until nothing is left: what is started in between is found the next time.
    fn confirm(&mut self, now: Instant, glance: &mut Glance, until: Instant) {
        // Its end is told when it comes, unless there was no way to ask for that.
        if self.exited_at.is_none() && self.tree.leader().has_ended() {
            self.exited_at = Some(now);
        }
        if self.exited_at.is_none() {
            // If it does not come, it is stuck in the kernel.
            if until <= now {
                self.finish(Ok(vec![self.tree.id()]));
            } else {
                self.look_later(now);
            }
            return;
        }
        let left = self.tree.others(glance);
        if until <= now || left.as_ref().is_ok_and(Vec::is_empty) {
            self.finish(left);
        } else {
            self.tree.kill();
            self.look_later(now);
        }
    }

    /// Says whether nothing is left beside the leader, which has ended.
    fn is_alone(&self, glance: &mut Glance) -> bool {
        self.tree.kill_unseen();
        self.tree.others(glance).is_ok_and(|others| others.is_empty())
    }

    fn look_soon(&mut self, now: Instant) {
        self.look_at = Some(now);
    }

    fn look_later(&mut self, now: Instant) {
        self.look_at = Some(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// From now on silence counts as the end of the output. Not while processes use their grace, which they may do in silence.
    fn tell_exited(&mut self) {
        if let Some(tell) = self.tell_exited.take() {
            let _ = tell.send(());
        }
    }

    /// Reaps the leader, last of all, and tells of the end.
    fn finish(&mut self, left: io::Result<Vec<u32>>) {
        let (exit, state) = match self.tree.reap() {
            Ok(Some(exit)) => (Ok(exit), State::Over),
            Ok(None) => (Err(io::Error::other("it cannot be killed")), State::Stuck),
            Err(error) => (Err(error), State::Over),
        };
        self.state = state;
        self.tell_exited();
        if let Some(tell) = self.tell_ended.take() {
            let _ = tell.send(Ended {
                exit,
                exited_at: self.exited_at.unwrap_or_else(Instant::now),
                timed_out: self.timed_out,
                leftovers_killed: self.leftovers_killed,
                left,
            });
        }
    }
}
