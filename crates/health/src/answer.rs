//! What goes over the wire.

use std::borrow::Cow;

use crate::{
    health::Health,
    snapshot::Snapshot,
    verdict::{Probe, Verdict},
};

/// How much an answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Detail {
    /// `ok`, or one word why not.
    Plain,
    /// `{"status":"ready"}`; liveness adds the uptime in whole seconds.
    Status,
    /// The same with every part, its state and reason. Reasons name what the service depends on: not for strangers.
    Full,
}

/// An answer that any server can send. It is not to be cached: send `Cache-Control: no-store` with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The HTTP status: 200 or 503.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Cow<'static, str>,
}

/// The paths that are answered, without their query.
pub(crate) const PATHS: [(&str, Probe, Detail); 6] = [
    ("/livez", Probe::Liveness, Detail::Plain),
    ("/readyz", Probe::Readiness, Detail::Plain),
    ("/startupz", Probe::Startup, Detail::Plain),
    ("/health/live", Probe::Liveness, Detail::Status),
    ("/health/ready", Probe::Readiness, Detail::Status),
    ("/health/startup", Probe::Startup, Detail::Status),
];

impl Health {
    /// Answers a probe, telling as much as is asked for.
    pub fn respond(&self, probe: Probe, detail: Detail) -> Answer {
        match detail {
            Detail::Plain => {
                let verdict = self.status(probe);
                let word = if verdict.passes() { "ok" } else { verdict.word(probe) };
                Answer::new(verdict, "text/plain; charset=utf-8", word)
            }
            Detail::Status => self.json(probe, self.status(probe), ""),
            Detail::Full => {
                let snapshot: Snapshot = self.snapshot();
                let parts = format!(",\"parts\":[{}]", snapshot.parts_json(probe));
                self.json(probe, snapshot.verdict(probe), &parts)
            }
        }
    }

    /// Answers the target of a request, path and query, or `None` if it is none of the six paths.
    ///
    /// `?verbose` tells everything where [`with_details`](Self::with_details) allows it, and is ignored elsewhere.
    pub fn respond_to(&self, target: &str) -> Option<Answer> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let &(_, probe, detail) = PATHS.iter().find(|(known, ..)| *known == path)?;
        let verbose = query.split('&').any(|item| item.split('=').next() == Some("verbose"));
        let full = verbose && self.details_allowed();
        Some(self.respond(probe, if full { Detail::Full } else { detail }))
    }

    fn json(&self, probe: Probe, verdict: Verdict, more: &str) -> Answer {
        let word = verdict.word(probe);
        let body = match probe {
            Probe::Liveness => {
                let uptime = self.uptime().as_secs();
                format!("{{\"status\":\"{word}\",\"uptime\":{uptime}{more}}}")
            }
            Probe::Startup | Probe::Readiness => format!("{{\"status\":\"{word}\"{more}}}"),
        };
        Answer::new(verdict, "application/json", body)
    }
}

impl Answer {
    fn new(
        verdict: Verdict,
        content_type: &'static str,
        body: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status: verdict.http_status(), content_type, body: body.into() }
    }
}
