//! A second attempt beside a slow first one.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    attempt::{Answer, Attempt, Sent},
    circuit::Outcome,
    disposition::Disposition,
    hosts::name_of,
    operation::{Failure, Operation},
};

type Sending<'a> = Pin<&'a mut (dyn Future<Output = Sent> + Send + 'a)>;

impl Operation {
    /// How long this attempt is waited for before another one is sent beside it. Only the first has such a limit: a later one is paid for already.
    pub(crate) fn patience(&self) -> Option<Duration> {
        let time = self.host.patience.time()?;
        (self.sent() == 1 && self.may_hedge()).then_some(time)
    }

    fn may_hedge(&self) -> bool {
        self.plan.may_retry && self.facts.is_repeatable() && self.body.is_replayable()
    }

    /// An attempt has succeeded.
    pub(crate) fn learn(&self, began: Instant) {
        if let Some(latencies) = self.host.patience.latencies()
            && self.may_hedge()
        {
            latencies.add(began.elapsed());
        }
    }

    /// Sends it once more beside an attempt that takes long, and takes the better answer of the two. Whoever is not waited for any more says nothing to
    /// the breaker, however long it took: it was given up for being second.
    pub(crate) async fn race(&self, first: Attempt, mut sending: Sending<'_>) -> Answer {
        let Some((second, request)) = self.hedge(&first) else {
            return self.judge(first, sending.await);
        };
        let mut beside = pin!(self.send(&second, request));
        let (sent, is_second) = poll_fn(|cx| {
            if let Poll::Ready(sent) = sending.as_mut().poll(cx) {
                return Poll::Ready((sent, false));
            }
            beside.as_mut().poll(cx).map(|sent| (sent, true))
        })
        .await;
        let (done, mut open, waiting): (_, _, Sending<'_>) =
            if is_second { (second, first, sending) } else { (first, second, beside) };
        let answer = self.judge(done, sent);
        if self.decides(&answer) {
            open.permit.record(Outcome::Ignore);
            return answer;
        }
        let other = self.judge(open, waiting.await);
        if rank(&other) < rank(&answer) { answer } else { other }
    }

    /// The second attempt, if it may be sent at once: by the host, the breaker, the budget and the rate limit.
    fn hedge(&self, first: &Attempt) -> Option<(Attempt, reqwest::Request)> {
        let now = Instant::now();
        if now >= self.deadline || self.host.paused(now).is_some() {
            return None;
        }
        let permit = self.host.circuit.acquire_closed()?;
        let paid = self.host.budget.take_spare()?;
        self.shared.pace.take_now(name_of(self.request.url()))?;
        self.span.hedge(&self.request, now - first.began);
        let span = self.span.attempt(&self.request, self.sent() + 1);
        let begun = self.begin(span, permit, now, None).ok()?;
        paid.spend();
        Some(begun)
    }

    /// Whether the other answer cannot be better. What a request that changes something is told, that there is no such thing any more, may be the
    /// other's doing.
    fn decides(&self, answer: &Answer) -> bool {
        let is_final = || self.request.method().is_safe() && answer.result.is_ok();
        rank(answer) == Rank::Success || is_final()
    }
}

/// What is worth more than another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// There was no answer.
    Error,
    /// It may be asked again, after the time that it named.
    Failure(Option<Duration>),
    Final,
    Success,
}

fn rank(answer: &Answer) -> Rank {
    match &answer.result {
        Ok(response) if response.disposition() == Disposition::Success => Rank::Success,
        Ok(_) => Rank::Final,
        Err(Failure::Answered(response)) => Rank::Failure(response.retry_after()),
        Err(Failure::Error(_)) => Rank::Error,
    }
}
