//! One request with all of its attempts.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use http_body::Body as _;
use reqwest::{StatusCode, header::HeaderMap};
use tokio::time::{Instant, sleep_until, timeout_at};
use underpin_retry::{GaveUp, Retry, Verdict};

use crate::{
    body::Body,
    circuit::{Outcome, Permit},
    client::Shared,
    disposition::{Cause, Disposition, Facts, Repeat},
    error::{Error, Kind, Limit, Result, What, is_exhausted},
    hosts::{Host, name_of},
    observe::{self, Span},
    pace::Place,
    random,
    reading::Limits,
    redirect::Following,
    request::IDEMPOTENCY_KEY,
    response::Response,
    resume::Resume,
    retry_after::retry_after,
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
    host: Arc<Host>,
    /// Without its body.
    request: reqwest::Request,
    body: Body,
    plan: Plan,
    facts: Facts,
    span: Span,
    began: Instant,
    deadline: Instant,
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
        Operation { shared, host, request, body, plan, facts, span, began, deadline }
    }

    /// Sends it until it succeeds, or there is no point in sending it again.
    pub(crate) async fn run(&self) -> Result<Response> {
        let tried = self
            .retry(self.plan.deadline)
            .run(|attempt| self.attempt(attempt.number(), None))
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
            .run(|attempt| {
                let broken = broken.take();
                async move {
                    if let Some(broken) = broken {
                        return Err(Failure::Error(broken));
                    }
                    self.attempt(attempt.number(), Some(resume)).await
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

    async fn attempt(&self, number: u32, resume: Option<&Resume>) -> Result<Response, Failure> {
        let span = self.span.attempt(&self.request, number);
        let failed = |error: Error| {
            span.failed(error.kind());
            Failure::Error(error)
        };
        let (mut permit, now) = self.admit().await.map_err(failed)?;
        let request = self.copy(resume).map_err(failed)?;
        let limits = self.limits(after(now, self.plan.attempt_timeout));
        let has_body = request.body().is_some_and(|body| !body.is_end_stream());
        let sending = span.around(Following::new(self.shared.http.execute(request)));
        let Ok((sent, was_redirected)) = timeout_at(limits.ends, sending).await else {
            permit.record(Outcome::Failure);
            let unknown = Disposition::Unknown;
            return Err(failed(self.timed_out(limits.limit, limits.time, unknown)));
        };
        let facts = Facts { is_repeated: number > 1, was_redirected, has_body, ..self.facts };
        let response = match sent {
            Ok(response) => response,
            Err(error) => {
                let cause = match Cause::of(&error) {
                    // Not the request, which was answered, but where that has led to.
                    Cause::Invalid if was_redirected => Cause::Redirect,
                    cause => cause,
                };
                permit.record(Outcome::of_cause(cause));
                return Err(failed(self.failed(error, cause, facts)));
            }
        };
        let mut response = self.answered(response, number, permit, limits, facts);
        span.answered(&response);
        if self.plan.may_retry && response.disposition().allows_retry(facts.is_repeatable()) {
            response.read_ahead().await;
            return Err(Failure::Answered(Box::new(response)));
        }
        if let Some(resume) = resume {
            resume.check(&response).map_err(|error| failed(self.about(error)))?;
            // A server that always breaks off before it would be asked for ever.
            if response.status() == StatusCode::PARTIAL_CONTENT {
                response.read_first().await.map_err(failed)?;
            }
        }
        if self.plan.reads_whole && response.disposition() == Disposition::Success {
            response.read_whole().await.map_err(failed)?;
        }
        Ok(response)
    }

    /// Waits until the host may be asked, and takes permission for it. Nothing of the breaker is held while it waits. Says what time it is
    /// then.
    async fn admit(&self) -> Result<(Permit, Instant)> {
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

    /// What an answer means: for the host, for its breaker, and for the request.
    fn answered(
        &self,
        response: reqwest::Response,
        number: u32,
        mut permit: Permit,
        limits: Limits,
        facts: Facts,
    ) -> Response {
        let status = response.status();
        let told = retry_after(response.headers(), SystemTime::now);
        let disposition = Disposition::of_status(status, told, facts);
        let asks_for_pause = matches!(status.as_u16(), 429 | 503);
        if let Some(told) = told.filter(|_| asks_for_pause && self.shared.settings.does_pause) {
            // Behind a redirect, it is another host that asks for it.
            self.shared.hosts.of(response.url()).pause(Instant::now(), told);
            observe::paused(response.url(), told);
        }
        let outcome = Outcome::of_status(status, disposition);
        if outcome != Outcome::Success || status.is_client_error() {
            permit.record(outcome);
        }
        Response::new(response, self, permit, limits, disposition, told, number)
    }

    /// The request for one attempt: an allocation for the URL, and two for the headers.
    fn copy(&self, resume: Option<&Resume>) -> Result<reqwest::Request> {
        let of = &self.request;
        let mut copy = reqwest::Request::new(of.method().clone(), of.url().clone());
        *copy.version_mut() = of.version();
        copy_headers(of.headers(), copy.headers_mut());
        if let Some(resume) = resume {
            copy.headers_mut().extend(resume.headers());
        }
        let body = self.body.next();
        let gone = || self.about(Error::request("the body can be sent once, and has been"));
        *copy.body_mut() = Some(body.ok_or_else(gone)?);
        Ok(copy)
    }

    fn limits(&self, ends: Instant) -> Limits {
        let read = self.shared.settings.read_timeout;
        if ends < self.deadline {
            Limits { ends, limit: Limit::Attempt, time: self.plan.attempt_timeout, read }
        } else {
            Limits { ends: self.deadline, limit: Limit::Deadline, time: self.plan.deadline, read }
        }
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
        let GaveUp { last, attempts, why, .. } = match tried {
            Ok(response) => return Ok(response),
            Err(gave_up) => gave_up,
        };
        if is_exhausted(Some(why)) {
            self.span.gave_up(&self.request, attempts, why);
        }
        let why = Some(why);
        match last {
            Failure::Answered(mut response) => {
                response.give_up(why);
                Ok(*response)
            }
            Failure::Error(error) => {
                // One that was not sent is not an attempt.
                let is_late =
                    error.kind() == Kind::Timeout && error.disposition() == Disposition::NotSent;
                let attempts = if error.is_rejected() || is_late { attempts - 1 } else { attempts };
                Err(error.after(attempts, self.began.elapsed(), why))
            }
        }
    }

    fn failed(&self, error: reqwest::Error, cause: Cause, facts: Facts) -> Error {
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

    fn timed_out(&self, limit: Limit, time: Duration, disposition: Disposition) -> Error {
        let what = What::TimedOut(limit, time);
        observe::timeout(self.request.url(), time);
        self.about(Error::new(Kind::Timeout, disposition, what))
    }

    fn about(&self, error: Error) -> Error {
        error.about(self.request.method(), self.request.url())
    }

    pub(crate) fn request(&self) -> &reqwest::Request {
        &self.request
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }
}

impl Failure {
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

/// A clone has no room for the headers that reqwest adds, and would grow at once.
fn copy_headers(from: &HeaderMap, to: &mut HeaderMap) {
    if from.is_empty() {
        return;
    }
    to.reserve(from.len() + 2);
    for (name, value) in from {
        to.append(name.clone(), value.clone());
    }
}
