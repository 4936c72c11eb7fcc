//! What ends a connection: the phases of the stop, and its own time.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep, sleep};

use super::{
    Limits,
    activity::{Activity, Doing},
    io_stream::Protocol,
};
use crate::{phase::Phase, stopped::Stopped};

/// A connection that can be asked to come to its end.
pub(super) trait Connection: Future {
    const PROTOCOL: Protocol;

    /// Takes no further requests, and ends after those it has.
    fn retire(self: Pin<&mut Self>);
}

/// Watches over one connection.
pub(super) struct Watch {
    activity: Arc<Activity>,
    limits: Limits,
    phase: Phase,
    next_phase: Stopped,
    draining_since: Option<Instant>,
    doing: Doing,
    /// Since when it does so, or when something moved last while it does nothing.
    since: Instant,
    is_retired: bool,
    /// Rings no later than the time is up; it is not set anew for every request.
    alarm: Pin<Box<Sleep>>,
    is_alarm_set: bool,
}

enum Verdict {
    Wait,
    Retire,
    Drop,
}

impl Watch {
    pub(super) fn new(activity: Arc<Activity>, limits: Limits) -> Watch {
        let next_phase = activity.shutdown().at(Phase::LameDuck);
        Watch {
            activity,
            limits,
            phase: Phase::Running,
            next_phase,
            draining_since: None,
            doing: Doing::Nothing,
            since: Instant::now(),
            is_retired: false,
            alarm: Box::pin(sleep(limits.idle)),
            is_alarm_set: false,
        }
    }

    /// Polls a connection to its end, or until it has to be dropped, which is `None`.
    pub(super) async fn over<C: Connection>(&mut self, connection: C) -> Option<C::Output> {
        let mut connection = pin!(connection);
        std::future::poll_fn(|cx| {
            loop {
                self.follow(cx);
                if self.phase >= Phase::Cancelling {
                    return Poll::Ready(None);
                }
                if let Poll::Ready(output) = connection.as_mut().poll(cx) {
                    return Poll::Ready(Some(output));
                }
                match self.judge(C::PROTOCOL, cx) {
                    Verdict::Wait => return Poll::Pending,
                    Verdict::Retire => connection.as_mut().retire(),
                    Verdict::Drop => return Poll::Ready(None),
                }
            }
        })
        .await
    }

    /// Catches up with the phase.
    fn follow(&mut self, cx: &mut Context<'_>) {
        while self.phase < Phase::Cancelling && Pin::new(&mut self.next_phase).poll(cx).is_ready() {
            self.phase = self.activity.shutdown().phase();
            let next = match self.phase {
                Phase::Running | Phase::LameDuck => Phase::Draining,
                _ => Phase::Cancelling,
            };
            self.next_phase = self.activity.shutdown().at(next);
            if self.phase >= Phase::Draining {
                self.draining_since.get_or_insert_with(Instant::now);
            }
        }
    }

    /// What to do with a connection that was polled and waits.
    fn judge(&mut self, protocol: Protocol, cx: &mut Context<'_>) -> Verdict {
        let doing = match self.activity.doing() {
            // On HTTP/2 frames of the connection itself come at any time, and half a request does not show.
            Doing::Receiving if protocol == Protocol::Http2 => Doing::Nothing,
            doing => doing,
        };
        // A head that comes byte by byte has no more time than another; what moves on HTTP/2 may be a ping, and in a drain it is too late.
        let has_moved = self.activity.take_moved()
            && protocol != Protocol::Http2
            && self.draining_since.is_none();
        let is_news = doing != self.doing || (has_moved && doing == Doing::Nothing);
        if is_news {
            self.doing = doing;
            self.since = Instant::now();
        }
        // Not before its first request: a client that is told to go before it came may give up.
        let is_leaving = protocol == Protocol::Http2 && self.phase >= Phase::LameDuck;
        if is_leaving && self.activity.has_served() && !self.is_retired {
            return self.retire(protocol);
        }
        loop {
            let end = self.end(protocol);
            let is_soon_enough = end.is_none_or(|end| self.alarm.deadline() <= end);
            // The usual case, a request that came and went, does not ask the timer.
            if is_soon_enough && is_news && self.is_alarm_set && self.since < self.alarm.deadline()
            {
                return Verdict::Wait;
            }
            let is_ringing = self.alarm.as_mut().poll(cx).is_ready();
            self.is_alarm_set = !is_ringing;
            if is_soon_enough && !is_ringing {
                return Verdict::Wait;
            }
            let now = Instant::now();
            match end {
                Some(end) if end <= now => {
                    // Half a request is nothing that could be brought to an end.
                    let is_over = self.is_retired || self.doing == Doing::Receiving;
                    return if is_over { Verdict::Drop } else { self.retire(protocol) };
                }
                _ => {
                    self.is_alarm_set = false;
                    self.alarm.as_mut().reset(end.unwrap_or(now + self.limits.idle));
                }
            }
        }
    }

    fn retire(&mut self, protocol: Protocol) -> Verdict {
        self.is_retired = true;
        // From here on it has time anew, to end by itself.
        self.since = Instant::now();
        // HTTP/2 has all it has sent lately still to protect.
        if self.doing != Doing::Serving && protocol != Protocol::Http2 {
            self.activity.leave();
        }
        Verdict::Retire
    }

    /// When its time is up, if nothing happens until then.
    fn end(&self, protocol: Protocol) -> Option<Instant> {
        let Limits { handshake, header, idle, linger } = self.limits;
        match (self.doing, protocol) {
            (Doing::Serving, _) => None,
            (Doing::Receiving, Protocol::Any) => Some(self.since + handshake),
            (Doing::Receiving, _) => Some(self.since + header),
            (Doing::Nothing, _) => Some(match self.draining_since {
                Some(draining) => self.since.max(draining) + linger,
                None => self.since + idle,
            }),
        }
    }
}
