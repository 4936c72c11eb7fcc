//! What a peer says, taken with caution.

use std::{borrow::Cow, time::Duration};

use crate::{Kind, Retry, fault::BUG_CODE};

/// The most bytes of a name or a code.
pub(crate) const MAX_NAME: usize = 64;
/// The most entries of a document or of metadata that are kept.
pub(crate) const MAX_ENTRIES: usize = 32;
/// The longest wait that a peer can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The peer's code, or the name of the kind where it is none that we would show to others.
pub(crate) fn code(kind: Kind, code: &str) -> Cow<'static, str> {
    if kind.is_bug() {
        Cow::Borrowed(BUG_CODE)
    } else if is_code(code) {
        Cow::Owned(code.to_owned())
    } else {
        Cow::Borrowed(kind.name())
    }
}

/// Whether and when to come back: reads what [`Retry::word_beside`] writes, and the time if there is one.
pub(crate) fn retry(kind: Kind, word: Option<&str>, after: Option<Duration>) -> Retry {
    match (after, word) {
        (Some(delay), _) => Retry::After(delay.min(MAX_RETRY_AFTER)),
        (None, Some("never")) => Retry::Never,
        (None, Some("backoff")) => Retry::Backoff,
        (None, _) => kind.retry(),
    }
}

/// Whether it is short, printable, and safe in a header, a metric label or a log query.
fn is_code(code: &str) -> bool {
    code.len() <= MAX_NAME
        && code.starts_with(|first: char| first.is_ascii_alphabetic())
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
