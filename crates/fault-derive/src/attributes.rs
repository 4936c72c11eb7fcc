//! What `#[fault(...)]` says, checked.

use std::{collections::HashSet, time::Duration};

use proc_macro2::Span;
use syn::{
    Attribute, Error, Fields, Ident, LitInt, LitStr, Path, Result, meta::ParseNestedMeta,
    parse::ParseStream, spanned::Spanned as _,
};

use crate::{message::Message, suggest::did_you_mean};

const KEYS: [&str; 7] =
    ["kind", "code", "message", "status", "retry", "retry_after", "transparent"];
const KINDS: [&str; 16] = [
    "Cancelled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];
/// Kinds whose message is never shown.
const BUGS: [&str; 3] = ["Unknown", "Internal", "DataLoss"];

/// How one variant, or a struct, is classified.
pub(crate) enum Class {
    Own(Own),
    /// As its only field is.
    Transparent,
}

pub(crate) struct Own {
    pub(crate) kind: Ident,
    pub(crate) code: LitStr,
    pub(crate) message: Option<Message>,
    pub(crate) status: Option<u16>,
    pub(crate) retry: Option<Retry>,
}

pub(crate) enum Retry {
    Never,
    Backoff,
    After(Duration),
}

/// What is classified: `variant `Missing`` or `struct `Declined``, and a code it could have.
pub(crate) struct Subject<'a> {
    pub(crate) name: String,
    pub(crate) suggested_code: String,
    pub(crate) span: Span,
    pub(crate) fields: &'a Fields,
}

#[derive(Default)]
struct Raw {
    seen: HashSet<String>,
    kind: Option<Ident>,
    code: Option<LitStr>,
    message: Option<LitStr>,
    status: Option<u16>,
    retry: Option<Retry>,
    transparent: Option<Span>,
}

impl Class {
    pub(crate) fn read(subject: &Subject<'_>, attributes: &[Attribute]) -> Result<Class> {
        for field in subject.fields {
            if let Some(attribute) =
                field.attrs.iter().find(|attribute| attribute.path().is_ident("fault"))
            {
                let message = format!(
                    "`#[fault(...)]` classifies all of {}, move it there from the field",
                    subject.name
                );
                return Err(Error::new_spanned(attribute, message));
            }
        }
        let mut raw = Raw::default();
        let mut is_classified = false;
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("fault")) {
            is_classified = true;
            attribute.parse_nested_meta(|meta| raw.read(&meta))?;
        }
        if !is_classified {
            return Err(subject.error(&format!(
                "is not classified, add `#[fault(kind = NotFound, code = \"{}\")]` or, to classify it as its only field, \
                 `#[fault(transparent)]`",
                subject.suggested_code,
            )));
        }
        raw.check(subject)
    }
}

impl Raw {
    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let Some(key) = meta.path.get_ident().map(Ident::to_string) else {
            return Err(meta.error(format!("unknown key, use one of {}", KEYS.join(", "))));
        };
        if !KEYS.contains(&&*key) {
            let hint = did_you_mean(&key, KEYS);
            let hint =
                if hint.is_empty() { format!(", use one of {}", KEYS.join(", ")) } else { hint };
            return Err(meta.error(format!("unknown key `{key}`{hint}")));
        }
        if !self.seen.insert(key.clone()) {
            return Err(meta.error(format!("`{key}` is given twice, remove one")));
        }
        if key == "transparent" {
            self.transparent = Some(meta.path.span());
            return Ok(());
        }
        let value = meta.value()?;
        match &*key {
            "kind" => self.kind = Some(kind(value)?),
            "code" => self.code = Some(code(value)?),
            "message" => self.message = Some(value.parse()?),
            "status" => self.status = Some(status(value)?),
            "retry" => self.retry = Some(retry(value)?),
            _ => self.retry = Some(Retry::After(duration(value)?)),
        }
        if self.seen.contains("retry") && self.seen.contains("retry_after") {
            return Err(meta.error("`retry_after` says to retry already, remove `retry`"));
        }
        Ok(())
    }

    fn check(self, subject: &Subject<'_>) -> Result<Class> {
        if let Some(span) = self.transparent {
            let fields = subject.fields.len();
            if self.seen.len() > 1 {
                let message = format!(
                    "`transparent` takes everything from the field of {}, remove the rest",
                    subject.name
                );
                return Err(Error::new(span, message));
            }
            if fields != 1 {
                let message = format!(
                    "`transparent` needs exactly one field, but {} has {fields}, give it a `kind` and a `code`",
                    subject.name
                );
                return Err(Error::new(span, message));
            }
            return Ok(Class::Transparent);
        }
        let Some(kind) = self.kind else {
            return Err(
                subject.error("has no kind, add `kind = NotFound`, or whichever of the 16 it is")
            );
        };
        let Some(code) = self.code else {
            return Err(
                subject.error(&format!("has no code, add `code = \"{}\"`", subject.suggested_code))
            );
        };
        let message =
            self.message.as_ref().map(|text| Message::parse(text, subject)).transpose()?;
        if let Some(message) = message.as_ref().filter(|_| BUGS.iter().any(|bug| kind == bug)) {
            let text = format!(
                "no client is shown the message of kind `{kind}`, remove it from {}",
                subject.name
            );
            return Err(Error::new(message.span(), text));
        }
        Ok(Class::Own(Own { kind, code, message, status: self.status, retry: self.retry }))
    }
}

impl Subject<'_> {
    fn error(&self, what: &str) -> Error {
        Error::new(self.span, format!("{} {what}", self.name))
    }
}

fn kind(value: ParseStream<'_>) -> Result<Ident> {
    let path: Path = value
        .parse()
        .map_err(|error| Error::new(error.span(), "expected a kind, such as `NotFound`"))?;
    // `Kind::NotFound` is as good as `NotFound`.
    let Some(ident) = path.segments.last().map(|segment| segment.ident.clone()) else {
        return Err(Error::new(path.span(), "expected a kind, such as `NotFound`"));
    };
    let name = ident.to_string();
    if KINDS.contains(&&*name) {
        return Ok(ident);
    }
    let hint = did_you_mean(&name, KINDS);
    let hint = if hint.is_empty() { format!(", use one of {}", KINDS.join(", ")) } else { hint };
    Err(Error::new(ident.span(), format!("unknown kind `{name}`{hint}")))
}

fn code(value: ParseStream<'_>) -> Result<LitStr> {
    let code: LitStr = value.parse()?;
    let text = code.value();
    let fits = text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if fits {
        return Ok(code);
    }
    let message = format!(
        "{text:?} is no code, use a letter and then letters, digits, `.`, `_` and `-`, at most 64, such as \"order.missing\""
    );
    Err(Error::new(code.span(), message))
}

fn status(value: ParseStream<'_>) -> Result<u16> {
    let literal: LitInt = value.parse()?;
    match literal.base10_parse() {
        Ok(status @ 400..=599) => Ok(status),
        _ => Err(Error::new(
            literal.span(),
            format!("status {literal} is not an error's, use 400 to 599"),
        )),
    }
}

fn retry(value: ParseStream<'_>) -> Result<Retry> {
    let word: Ident = value.parse()?;
    match &*word.to_string() {
        "Never" => Ok(Retry::Never),
        "Backoff" => Ok(Retry::Backoff),
        other => {
            let message = format!(
                "unknown retry `{other}`, use `Never`, `Backoff`, or the key `retry_after`"
            );
            Err(Error::new(word.span(), message))
        }
    }
}

fn duration(value: ParseStream<'_>) -> Result<Duration> {
    let literal: LitStr = value.parse()?;
    let text = literal.value();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let millis_per_unit = match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let millis = number
        .parse::<u64>()
        .ok()
        .zip(millis_per_unit)
        .and_then(|(number, unit)| number.checked_mul(unit));
    millis.map(Duration::from_millis).ok_or_else(|| {
        let message = format!(
            "{text:?} is no duration, use a whole number and ms, s, m or h, such as \"2s\""
        );
        Error::new(literal.span(), message)
    })
}
