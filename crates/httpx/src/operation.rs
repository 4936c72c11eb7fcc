//! One request with all of its attempts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep_until};
use underpin_retry::{GaveUp, Retry, Verdict};

use crate::{
    body::Body,
    circuit::Permit,
    client::Shared,
    disposition::{Cause, Disposition, Facts, Repeat},
    error::{Error, Kind, Limit, Result, What, is_exhausted},
    hosts::{Host, name_of},
    observe::{self, Span},
    pace::Place,
    random,
    request::IDEMPOTENCY_KEY,
    response::Response,
    resume::Resume,
};

/// How it is to be done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) deadline: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) may_retry: bool,
    /// The body is part of an attempt.
    pub(crate) reads_whole: bool,
}

/// A request that is under way.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) shared: Arc<Shared>,
    pub(crate) host: Arc<Host>,
    /// Without its body.
    pub(crate) request: reqwest::Request,
    pub(crate) body: Body,
    pub(crate) plan: Plan,
    pub(crate) facts: Facts,
    pub(crate) span: Span,
    began: Instant,
    pub(crate) deadline: Instant,
    /// Attempts that have begun.
    sent: AtomicU32,
}

/// An attempt that did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was answered, with a status that may be worth another attempt.
    Answered(Box<Response>),
    Error(Error),
}

impl Operation {
    pub(crate) fn new(
        shared: Arc<Shared>,
        request: reqwest::Request,
        body: Body,
        tag: &'static str,
        plan: Plan,
    ) -> Operation {
        let host = shared.hosts.of(request.url());
        let has_key = request.headers().contains_key(IDEMPOTENCY_KEY);
        let repeat = match request.method().is_idempotent() {
            _ if has_key => Repeat::WithKey,
            true => Repeat::Idempotent,
            false => Repeat::Never,
        };
        let facts = Facts { repeat, ..Facts::default() };
        let began = Instant::now();
        let deadline = after(began, plan.deadline);
        let span = Span::operation(tag);
        let sent = AtomicU32::new(0);
        Operation { shared, host, request, body, plan, facts, span, began, deadline, sent }
    }

    /// Sends it until it succeeds, or there is no point in sending it again.
    pub(crate) async fn run(&self) -> Result<Response> {
        let tried = self
            .retry(self.plan.deadline)
            .run(|_| self.attempt(None))
            .when(|failure| self.verdict(failure))
            .on_retry(self.tell_of_retries())
            .await;
        self.conclude(tried)
    }

    /// The same, and the response goes on where it breaks off.
    pub(crate) async fn run_and_resume(self) -> Result<Response> {
        let mut response = self.run().await?;
        response.set_resume(Resume::of(&response, self));
        Ok(response)
    }

    /// Goes on behind what was received of a response that has broken off. That counts as the first attempt, so what comes now is
    /// delayed and paid for as a retry.
    pub(crate) async fn go_on(&self, resume: &Resume, broken: Error) -> Result<Response> {
        let mut broken = Some(broken);
        let left = self.deadline.saturating_duration_since(Instant::now());
        let tried = self
            .retry(left)
            .run(|_| {
                let broken = broken.take();
                async move {
                    if let Some(broken) = broken {
                        return Err(Failure::Error(broken));
                    }
                    self.attempt(Some(resume)).await
                }
            })
            .when(|failure| self.verdict(failure))
            .on_retry(self.tell_of_retries())
            .await;
        self.conclude(tried)
    }

    fn retry(&self, left: Duration) -> Retry {
        self.shared.settings.retry.clone().within(left).budget(&self.host.budget)
    }

    fn tell_of_retries(&self) -> impl FnMut(&Failure, Duration) {
        let mut attempt = 0;
        move |failure, delay| {
            attempt += 1;
            let retry = &self.shared.settings.retry;
            self.span.retry(&self.request, attempt, retry, delay, failure.disposition());
        }
    }

    /// Waits until the host may be asked, and takes permission for it. Nothing of the breaker is held while it waits. Says what time it is
    /// then.
    pub(crate) async fn admit(&self) -> Result<(Permit, Instant)> {
        let mut now = self.wait_for_host().await?;
        let mut place = Place::default();
        let limit = &self.shared.pace;
        if limit.is_set() && !self.host.circuit.is_open() {
            loop {
                let room = self.deadline.saturating_duration_since(now);
                let taken = limit.take(name_of(self.request.url()), room).await;
                place = taken.map_err(|denied| self.limited(denied))?;
                // Somebody else may have been told to wait in the meantime.
                now = Instant::now();
                if self.host.paused(now).is_none() {
                    break;
                }
                limit.give_back(place);
                now = self.wait_for_host().await?;
            }
        }
        let admitted = if now < self.deadline {
            self.host.circuit.acquire().map_err(|rejected| self.rejected(rejected))
        } else {
            Err(self.late())
        };
        match admitted {
            Ok(permit) => Ok((permit, now)),
            Err(error) => {
                limit.give_back(place);
                Err(error)
            }
        }
    }

    /// Waits until the host is not paused, if that is in time.
    async fn wait_for_host(&self) -> Result<Instant> {
        loop {
            let now = Instant::now();
            let Some(left) = self.host.paused(now) else { return Ok(now) };
            let room = self.deadline.saturating_duration_since(now);
            let Some(spare) = room.checked_sub(left).filter(|spare| !spare.is_zero()) else {
                let paused = Error::new(Kind::Paused, Disposition::NotSent, What::Paused(left));
                return Err(self.about(paused).with_retry_after(Some(left)));
            };
            // Not all who wait come back at once.
            let spread = (left / 10).min(spare / 2);
            sleep_until(now + left + random::up_to(spread)).await;
        }
    }

    /// There is no time for an attempt.
    fn late(&self) -> Error {
        self.timed_out(Limit::Deadline, self.plan.deadline, Disposition::NotSent)
    }

    #[cfg(feature = "breaker")]
    fn rejected(&self, rejected: underpin_breaker::Rejected) -> Error {
        let what = What::Text("not sent, for the circuit breaker is open");
        let error = Error::new(Kind::Rejected, Disposition::NotSent, what);
        self.about(error).with_retry_after(rejected.retry_in).because(rejected)
    }

    #[cfg(not(feature = "breaker"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    fn rejected(&self, rejected: std::convert::Infallible) -> Error {
        match rejected {}
    }

    #[cfg(feature = "ratelimit")]
    fn limited(&self, denied: underpin_ratelimit::Denied) -> Error {
        let what = What::Text("not sent, for the rate limit has no place in time");
        let error = Error::new(Kind::Limited, Disposition::NotSent, what);
        self.about(error).with_retry_after(denied.retry_after).because(denied)
    }

    #[cfg(not(feature = "ratelimit"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    fn limited(&self, denied: std::convert::Infallible) -> Error {
        match denied {}
    }

    fn verdict(&self, failure: &Failure) -> Verdict {
        let disposition = failure.disposition();
        let may_retry = self.plan.may_retry
            && failure.is_of_an_attempt()
            && disposition.allows_retry(self.facts.is_repeatable())
            && self.body.is_left()
            // It would be rejected, and cost a retry of the budget.
            && !self.host.circuit.is_open();
        match disposition {
            _ if !may_retry => Verdict::Final,
            Disposition::Refused { after: Some(after) } => Verdict::RetryAfter(after),
            _ => Verdict::Retry,
        }
    }

    fn conclude(&self, tried: Result<Response, GaveUp<Failure>>) -> Result<Response> {
        let GaveUp { last, why, .. } = match tried {
            Ok(response) => return Ok(response),
            Err(gave_up) => gave_up,
        };
        let attempts = self.sent();
        if is_exhausted(Some(why)) {
            self.span.gave_up(&self.request, attempts, why);
        }
        let why = Some(why);
        match last {
            Failure::Answered(mut response) => {
                response.give_up(why);
                Ok(*response)
            }
            Failure::Error(error) => Err(error.after(attempts, self.began.elapsed(), why)),
        }
    }

    pub(crate) fn failed(&self, error: reqwest::Error, cause: Cause, facts: Facts) -> Error {
        let what = What::Text(match cause {
            Cause::Invalid => "the request is invalid",
            Cause::Redirect => "a redirect was not followed",
            Cause::Certificate => "the certificate was refused",
            Cause::Connect if error.is_timeout() => "no connection in time: connect_timeout",
            Cause::Connect => "no connection",
            Cause::Unprocessed => "the connection closed before the request was processed",
            Cause::Goodbye => "the server closed the connection just when the request was sent",
            Cause::Lost => "the connection was lost",
        });
        let disposition = Disposition::of_cause(cause, facts);
        self.about(Error::new(cause.kind(), disposition, what)).because_of(error)
    }

    pub(crate) fn timed_out(
        &self,
        limit: Limit,
        time: Duration,
        disposition: Disposition,
    ) -> Error {
        let what = What::TimedOut(limit, time);
        observe::timeout(self.request.url(), time);
        self.about(Error::new(Kind::Timeout, disposition, what))
    }

    pub(crate) fn about(&self, error: Error) -> Error {
        error.about(self.request.method(), self.request.url())
    }

    /// How often it was sent, or begun to be.
    pub(crate) fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }
}

impl Failure {
    /// An error of the attempt that has this span.
    pub(crate) fn of(error: Error, span: &Span) -> Failure {
        span.failed(error.kind());
        Failure::Error(error)
    }

    pub(crate) fn disposition(&self) -> Disposition {
        match self {
            Failure::Answered(response) => response.disposition(),
            Failure::Error(error) => error.disposition(),
        }
    }

    /// Not of a gate before it.
    fn is_of_an_attempt(&self) -> bool {
        !matches!(self, Failure::Error(error) if error.is_rejected())
    }
}

/// An instant; in a hundred years if there is no such.
pub(crate) fn after(now: Instant, time: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    now.checked_add(time.min(CENTURY)).unwrap_or(now)
}
