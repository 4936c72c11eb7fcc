//! What a client may know, as RFC 9457 writes it.

use std::{borrow::Cow, fmt, time::Duration};

use self::phrase::phrase;
use crate::{Fault, Kind, Retry, json};

mod phrase;
#[cfg(feature = "serde")]
mod serde;

/// The type of a problem that is described by its status alone.
const BLANK: &str = "about:blank";
/// Names that mean something already; an exposed member of such a name gets an underscore.
const RESERVED: [&str; 10] = [
    "type",
    "title",
    "status",
    "detail",
    "instance",
    "code",
    "kind",
    "retry",
    "retry_after",
    "request_id",
];

/// An RFC 9457 problem document: the public side of a [`Fault`].
///
/// Beside the members of the RFC it has `code`, `kind` (as in [`Kind::name`]), `retry_after` (seconds) where the fault
/// says when to come back, `retry` (`never` or `backoff`) where that differs from what the kind says, `request_id`,
/// and what the fault [exposes](Fault::expose). All exposed values are strings.
///
/// Of a [bug](Kind::is_bug) it says no more than that: `code` is `INTERNAL`, and there is neither detail nor member.
///
/// ```
/// use underpin_fault::{Fault, Kind};
///
/// let problem = Fault::new(Kind::NotFound, "order.missing").problem().with_request_id("r-1");
/// assert_eq!(
///     problem.to_json(),
///     r#"{"type":"about:blank","title":"Not Found","status":404,"code":"order.missing","kind":"NOT_FOUND","request_id":"r-1"}"#
/// );
/// ```
///
/// With the feature `serde`, a client reads it back. Any JSON object is a problem: members of the wrong type or out of
/// range are passed over, as the RFC asks; at most 4 KiB of each text, 32 further members and 24 hours of waiting are
/// kept. [`Fault::from`] then keeps kind, code, status and retry, and puts the peer's text into the private context, so that
/// it does not reach a client of ours.
#[must_use = "it is an answer to be sent"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    kind: Kind,
    status: u16,
    retry: Retry,
    code: Cow<'static, str>,
    type_uri: Cow<'static, str>,
    title: Cow<'static, str>,
    detail: Option<Cow<'static, str>>,
    instance: Option<Cow<'static, str>>,
    request_id: Option<Cow<'static, str>>,
    members: Vec<(String, String)>,
}

impl Problem {
    /// The media type of the document.
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    pub(crate) fn of(fault: &Fault) -> Problem {
        let mut problem =
            Problem::blank(fault.kind(), fault.http_status(), fault.public_code().clone());
        problem.retry = fault.retry();
        problem.detail = fault.detail().cloned();
        for (name, value) in fault.exposed() {
            problem.set_member(name, value.to_owned());
        }
        problem
    }

    fn blank(kind: Kind, status: u16, code: Cow<'static, str>) -> Problem {
        Problem {
            kind,
            status,
            retry: kind.retry(),
            code,
            type_uri: Cow::Borrowed(BLANK),
            title: Cow::Borrowed(phrase(status)),
            detail: None,
            instance: None,
            request_id: None,
            members: Vec::new(),
        }
    }

    /// Sets the id under which the log knows the request: all that a client needs to report a bug.
    pub fn with_request_id(mut self, id: impl Into<Cow<'static, str>>) -> Problem {
        self.request_id = Some(id.into());
        self
    }

    /// Sets the URI of the problem's type, `about:blank` otherwise.
    pub fn with_type(mut self, uri: impl Into<Cow<'static, str>>) -> Problem {
        self.type_uri = uri.into();
        self
    }

    /// Sets the title, which is the status's phrase otherwise. By the RFC, a title of its own needs a type of its own.
    pub fn with_title(mut self, title: impl Into<Cow<'static, str>>) -> Problem {
        self.title = title.into();
        self
    }

    /// Sets the URI of this occurrence.
    pub fn with_instance(mut self, uri: impl Into<Cow<'static, str>>) -> Problem {
        self.instance = Some(uri.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The HTTP status, 400 to 599.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether and when the call may be repeated.
    pub fn retry(&self) -> Retry {
        self.retry
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The URI of the problem's type.
    pub fn type_uri(&self) -> &str {
        &self.type_uri
    }

    /// The title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What is said about this occurrence.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The URI of this occurrence.
    pub fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// The id of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The further members.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The value of a `Retry-After` header: whole seconds, rounded up.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        let Retry::After(delay) = self.retry else { return None };
        Some(delay.as_secs().saturating_add(u64::from(delay.subsec_nanos() > 0)))
    }

    /// The document, on one line. It is valid JSON whatever the texts contain.
    pub fn to_json(&self) -> String {
        let mut object = json::Object::new();
        self.for_each(|name, value| match value {
            Value::Text(text) => object.string(name, text),
            Value::Status(status) => object.raw(name, status),
            Value::Seconds(delay) => object.raw(name, Seconds(delay)),
        });
        object.finish()
    }

    /// Visits the members in the order in which they are written.
    fn for_each(&self, mut visit: impl FnMut(&str, Value<'_>)) {
        visit("type", Value::Text(&self.type_uri));
        visit("title", Value::Text(&self.title));
        visit("status", Value::Status(self.status));
        if let Some(detail) = &self.detail {
            visit("detail", Value::Text(detail));
        }
        if let Some(instance) = &self.instance {
            visit("instance", Value::Text(instance));
        }
        visit("code", Value::Text(&self.code));
        visit("kind", Value::Text(self.kind.name()));
        match self.retry {
            Retry::After(delay) => visit("retry_after", Value::Seconds(delay)),
            retry => {
                if let Some(word) = retry.word_beside(self.kind) {
                    visit("retry", Value::Text(word));
                }
            }
        }
        if let Some(id) = &self.request_id {
            visit("request_id", Value::Text(id));
        }
        for (name, value) in &self.members {
            visit(name, Value::Text(value));
        }
    }

    /// Adds a member under a name that is free.
    fn set_member(&mut self, name: &str, value: String) {
        let mut name = name.to_owned();
        if RESERVED.contains(&&*name) {
            name.push('_');
        }
        match self.members.iter_mut().find(|(other, _)| *other == name) {
            Some((_, old)) => *old = value,
            None => self.members.push((name, value)),
        }
    }
}

/// A fault about a peer's problem: kind, code, status and retry are kept, its text becomes private context under names that
/// begin with `remote.`.
impl From<Problem> for Fault {
    #[track_caller]
    fn from(problem: Problem) -> Fault {
        let mut fault = Fault::received(problem.kind, problem.code).with_retry(problem.retry);
        if problem.status != problem.kind.http() {
            fault = fault.status(problem.status);
        }
        let title = Some(problem.title).filter(|title| title != phrase(problem.status));
        let type_uri = Some(problem.type_uri).filter(|uri| uri != BLANK);
        let texts = [
            ("type", type_uri),
            ("title", title),
            ("detail", problem.detail),
            ("instance", problem.instance),
            ("request_id", problem.request_id),
        ];
        let texts = texts
            .into_iter()
            .filter_map(|(name, text)| Some((name.to_owned(), text?.into_owned())));
        texts
            .chain(problem.members)
            .fold(fault, |fault, (name, text)| fault.with_owned(format!("remote.{name}"), &text))
    }
}

enum Value<'a> {
    Text(&'a str),
    Status(u16),
    Seconds(Duration),
}

/// Seconds in decimal, exact to the nanosecond.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_secs())?;
        match self.0.subsec_nanos() {
            0 => Ok(()),
            nanos => write!(f, ".{}", format!("{nanos:09}").trim_end_matches('0')),
        }
    }
}
