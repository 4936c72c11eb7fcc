//! One attempt, from its permission to its answer.

use std::{future::Future, pin::pin, time::SystemTime};

use http_body::Body as _;
use reqwest::{StatusCode, header::HeaderMap};
use tokio::time::{Instant, error::Elapsed, timeout_at};

use crate::{
    circuit::{Outcome, Permit},
    disposition::{Cause, Disposition, Facts},
    error::{Error, Limit, Result},
    observe::{self, Span},
    operation::{Failure, Operation, after},
    reading::Limits,
    redirect::Following,
    response::Response,
    resume::Resume,
    retry_after::retry_after,
};

/// An attempt that was not answered yet.
pub(crate) struct Attempt {
    span: Span,
    pub(crate) permit: Permit,
    pub(crate) began: Instant,
    limits: Limits,
    has_body: bool,
}

/// What came of it: whatever reqwest says, and whether a redirect was followed; or its time is up.
pub(crate) type Sent = Result<(reqwest::Result<reqwest::Response>, bool), Elapsed>;

/// What that means.
pub(crate) struct Answer {
    span: Span,
    pub(crate) result: Result<Response, Failure>,
}

impl Operation {
    pub(crate) async fn attempt(&self, resume: Option<&Resume>) -> Result<Response, Failure> {
        let span = self.span.attempt(&self.request, self.sent() + 1);
        let admitted = self.admit().await;
        let (permit, now) = admitted.map_err(|error| Failure::of(error, &span))?;
        let (attempt, request) = self.begin(span, permit, now, resume)?;
        let Answer { span, result } = self.answer(attempt, request).await;
        let failed = |error| Failure::of(error, &span);
        let mut response = match result {
            Err(Failure::Answered(mut response)) => {
                response.read_ahead().await;
                return Err(Failure::Answered(response));
            }
            other => other?,
        };
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

    /// The request of an attempt, which counts from here on.
    pub(crate) fn begin(
        &self,
        span: Span,
        permit: Permit,
        now: Instant,
        resume: Option<&Resume>,
    ) -> Result<(Attempt, reqwest::Request), Failure> {
        self.count();
        let request = self.copy(resume).map_err(|error| Failure::of(error, &span))?;
        let limits = self.limits(after(now, self.plan.attempt_timeout));
        let has_body = request.body().is_some_and(|body| !body.is_end_stream());
        Ok((Attempt { span, permit, began: now, limits, has_body }, request))
    }

    /// Waits for its headers, and no longer than that: whoever loses a race has to be gone before a body is read.
    async fn answer(&self, attempt: Attempt, request: reqwest::Request) -> Answer {
        let mut sending = pin!(self.send(&attempt, request));
        let Some(time) = self.patience() else { return self.judge(attempt, sending.await) };
        match timeout_at(after(attempt.began, time), sending.as_mut()).await {
            Ok(sent) => self.judge(attempt, sent),
            // Boxed, for it is rare and large.
            Err(_) => Box::pin(self.race(attempt, sending)).await,
        }
    }

    pub(crate) fn send(
        &self,
        attempt: &Attempt,
        request: reqwest::Request,
    ) -> impl Future<Output = Sent> + Send + use<> {
        let sending = Following::new(self.shared.http.execute(request));
        timeout_at(attempt.limits.ends, attempt.span.around(sending))
    }

    /// What an answer, or its absence, means.
    pub(crate) fn judge(&self, attempt: Attempt, sent: Sent) -> Answer {
        let Attempt { span, mut permit, began, limits, has_body } = attempt;
        let Ok((sent, was_redirected)) = sent else {
            permit.record(Outcome::Failure);
            let error = self.timed_out(limits.limit, limits.time, Disposition::Unknown);
            return Answer { result: Err(Failure::of(error, &span)), span };
        };
        let is_repeated = self.sent() > 1;
        let facts = Facts { is_repeated, was_redirected, has_body, ..self.facts };
        let response = match sent {
            Ok(response) => response,
            Err(error) => {
                let cause = match Cause::of(&error) {
                    // Not the request, which was answered, but where that has led to.
                    Cause::Invalid if was_redirected => Cause::Redirect,
                    cause => cause,
                };
                permit.record(Outcome::of_cause(cause));
                let error = self.failed(error, cause, facts);
                return Answer { result: Err(Failure::of(error, &span)), span };
            }
        };
        let response = self.answered(response, permit, limits, facts);
        span.answered(&response);
        let disposition = response.disposition();
        if disposition == Disposition::Success {
            self.learn(began);
        }
        let is_failure = self.plan.may_retry && disposition.allows_retry(facts.is_repeatable());
        let result =
            if is_failure { Err(Failure::Answered(Box::new(response))) } else { Ok(response) };
        Answer { span, result }
    }

    /// What an answer means for the host, for its breaker, and for the request.
    fn answered(
        &self,
        response: reqwest::Response,
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
        Response::new(response, self, permit, limits, disposition, told)
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
