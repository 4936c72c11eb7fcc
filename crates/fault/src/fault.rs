//! The one error type that leaves a service.

use std::{
    backtrace::Backtrace, borrow::Cow, error::Error, fmt::Display, panic::Location, time::Duration,
};

use crate::{Kind, Problem, Retry, bug, text};

mod format;

/// The code that clients see for every bug.
pub(crate) const BUG_CODE: &str = "INTERNAL";
/// The message that clients see for every bug.
pub(crate) const BUG_MESSAGE: &str = "internal error";

/// An error with a kind and a stable code, whose public and private text are kept apart.
///
/// It is one pointer wide; making one without context allocates once.
///
/// Public, for clients: [kind](Fault::kind), [status](Fault::http_status), [retry](Fault::retry) and, unless the kind
/// [is a bug](Kind::is_bug), [code](Fault::code), [message](Fault::message) and what is [exposed](Fault::expose).
/// Private, for logs: [context](Fault::with), causes, location, backtrace, and everything about a bug.
///
/// | format | audience | shows |
/// |---|---|---|
/// | `{}` | client | one line: code and message; `INTERNAL: internal error` for a bug |
/// | `{:#}` | log | one line: code, message, context and all causes |
/// | `{:?}` | developer | the tree: also locations, backtrace and siblings |
///
/// `{}` runs no code of yours. The other two ask the causes for their text; one that panics there is shown as such.
///
/// ```
/// use underpin_fault::{Fault, Kind};
///
/// let fault = Fault::new(Kind::NotFound, "order.missing")
///     .message("there is no such order")
///     .with("sql", "select * from orders");
/// assert_eq!(fault.to_string(), "order.missing: there is no such order");
/// assert_eq!(fault.http_status(), 404);
/// assert!(!fault.problem().to_json().contains("select"));
/// ```
#[must_use = "a fault that is dropped is an error that nobody hears of"]
pub struct Fault(Box<Inner>);

struct Inner {
    kind: Kind,
    code: Cow<'static, str>,
    message: Option<Cow<'static, str>>,
    status: Option<u16>,
    retry: Option<Retry>,
    location: &'static Location<'static>,
    cause: Option<Box<dyn Error + Send + Sync>>,
    fields: Vec<Field>,
    siblings: Vec<Fault>,
    backtrace: Option<Box<Backtrace>>,
}

struct Field {
    key: Cow<'static, str>,
    value: String,
    is_public: bool,
}

impl Fault {
    /// Makes a fault. The code is stable and meant for machines: letters, digits, `.`, `_` and `-`, at most 64 bytes,
    /// such as `billing.card_declined`.
    #[track_caller]
    pub fn new(kind: Kind, code: &'static str) -> Fault {
        if kind.is_bug() {
            bug::count();
        }
        Fault::received(kind, Cow::Borrowed(code))
    }

    /// Makes a fault of kind [`Internal`](Kind::Internal): the program, not its input, is wrong.
    ///
    /// Where `RUST_BACKTRACE` or `RUST_LIB_BACKTRACE` asks for backtraces, it carries one, at most one per 100 ms
    /// and process.
    #[track_caller]
    pub fn bug(code: &'static str) -> Fault {
        let mut fault = Fault::new(Kind::Internal, code);
        fault.0.backtrace = bug::backtrace();
        fault
    }

    /// Makes a fault out of a peer's answer, which counts as no bug of ours.
    #[track_caller]
    pub(crate) fn received(kind: Kind, code: Cow<'static, str>) -> Fault {
        Fault(Box::new(Inner {
            kind,
            code,
            message: None,
            status: None,
            retry: None,
            location: Location::caller(),
            cause: None,
            fields: Vec::new(),
            siblings: Vec::new(),
            backtrace: None,
        }))
    }

    /// Sets what a client may read, at most 4 KiB of it. Never shown for a [bug](Kind::is_bug).
    pub fn message(mut self, message: impl Into<Cow<'static, str>>) -> Fault {
        self.0.message = Some(text::bound(message.into()));
        self
    }

    /// Adds private context for the log.
    ///
    /// The value is rendered now, at most 4 KiB of it; one that panics in its `Display` is kept as
    /// `<Display panicked>`.
    pub fn with(self, key: &'static str, value: impl Display) -> Fault {
        self.field(Cow::Borrowed(key), &value, false)
    }

    /// Adds a member to the answer that a client reads: an extension member of the problem document, an entry of gRPC's
    /// ErrorInfo. Never shown for a [bug](Kind::is_bug).
    ///
    /// Rendered like [context](Fault::with). A name that RFC 9457 or this crate uses gets an underscore at its end; of
    /// two equal names the last one counts.
    pub fn expose(self, key: &'static str, value: impl Display) -> Fault {
        self.field(Cow::Borrowed(key), &value, true)
    }

    /// Sets the cause, which [`source`](Error::source) returns.
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Fault {
        self.0.cause = Some(cause.into());
        self
    }

    /// Adds a fault that happened beside this one, such as the second of two failed clean-ups. What a client sees stays
    /// that of the first.
    pub fn and(mut self, other: Fault) -> Fault {
        self.0.siblings.push(other);
        self
    }

    /// Says that the same call may succeed once this time has passed.
    pub fn retry_after(self, delay: Duration) -> Fault {
        self.with_retry(Retry::After(delay))
    }

    /// Overrides the kind's HTTP status, such as 502 for a failed payment provider. A fault never answers with success:
    /// a status outside 400 to 599 becomes 500.
    pub fn status(mut self, status: u16) -> Fault {
        self.0.status = Some(if (400..=599).contains(&status) { status } else { 500 });
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The stable code, of a bug too: clients see `INTERNAL` in its place.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The HTTP status of the answer.
    pub fn http_status(&self) -> u16 {
        self.0.status.unwrap_or(self.0.kind.http())
    }

    /// Whether and when the call may be repeated.
    pub fn retry(&self) -> Retry {
        self.0.retry.unwrap_or(self.0.kind.retry())
    }

    /// What a client may read; nothing for a [bug](Kind::is_bug).
    pub fn public_message(&self) -> Option<&str> {
        if self.0.kind.is_bug() { None } else { self.0.message.as_deref() }
    }

    /// Where it was made, or where `?` made it out of another error.
    pub fn location(&self) -> &'static Location<'static> {
        self.0.location
    }

    /// The backtrace, which only a [bug](Fault::bug) can have.
    pub fn backtrace(&self) -> Option<&Backtrace> {
        self.0.backtrace.as_deref()
    }

    /// The private context, in the order in which it was added.
    pub fn context(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields(false)
    }

    /// The members that a client may read, in the order in which they were added; none for a [bug](Kind::is_bug).
    pub fn exposed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields(true).filter(|_| !self.0.kind.is_bug())
    }

    /// The first error of type `E`, or `Box<E>`, in the chain of causes.
    pub fn find_cause<E: Error + 'static>(&self) -> Option<&E> {
        // The `source()` of a box is that of what it holds, which is therefore no link of its own.
        text::chain(self.source()).find_map(|error| {
            error
                .downcast_ref::<E>()
                .or_else(|| error.downcast_ref::<Box<E>>().map(|boxed| &**boxed))
        })
    }

    /// The faults that were [added](Fault::and) to this one.
    pub fn siblings(&self) -> &[Fault] {
        &self.0.siblings
    }

    /// What a client may know, as an RFC 9457 problem document.
    pub fn problem(&self) -> Problem {
        Problem::of(self)
    }

    /// The code that a client may read.
    pub(crate) fn public_code(&self) -> &Cow<'static, str> {
        const BUG: &Cow<'static, str> = &Cow::Borrowed(BUG_CODE);
        if self.0.kind.is_bug() { BUG } else { &self.0.code }
    }

    /// The message that a client may read, cheap to clone where it is static.
    pub(crate) fn detail(&self) -> Option<&Cow<'static, str>> {
        self.0.message.as_ref().filter(|_| !self.0.kind.is_bug())
    }

    pub(crate) fn with_retry(mut self, retry: Retry) -> Fault {
        self.0.retry = Some(retry);
        self
    }

    /// Private context whose key is not known at compile time: what a peer said.
    pub(crate) fn with_owned(self, key: String, value: &dyn Display) -> Fault {
        self.field(Cow::Owned(key), value, false)
    }

    fn field(mut self, key: Cow<'static, str>, value: &dyn Display, is_public: bool) -> Fault {
        self.0.fields.push(Field { key, value: text::render(value), is_public });
        self
    }

    fn fields(&self, is_public: bool) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .fields
            .iter()
            .filter(move |field| field.is_public == is_public)
            .map(|field| (&*field.key, &*field.value))
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as _)
    }
}
