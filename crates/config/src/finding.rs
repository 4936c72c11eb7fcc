//! Problems in the making: what they may quote is known only when everything has been read.

use std::{ffi::OsStr, fmt::Write as _};

use crate::problem::Problem;

/// A problem whose quote is not decided yet: the secret that it must not contain may be read after it.
pub(crate) struct Finding {
    pub(crate) problem: Problem,
    pub(crate) quote: Option<Quote>,
}

/// A part of the environment, and the reason with that part in it.
pub(crate) struct Quote {
    pub(crate) text: String,
    pub(crate) reason: String,
}

impl Finding {
    /// The problem, with its quote unless that shows a part of a secret.
    pub(crate) fn decide(self, secrets: &[String]) -> Problem {
        let Finding { mut problem, quote } = self;
        if let Some(quote) = quote.filter(|quote| quote.is_safe(secrets)) {
            problem.reason = quote.reason;
        }
        problem
    }
}

impl From<Problem> for Finding {
    fn from(problem: Problem) -> Finding {
        Finding { problem, quote: None }
    }
}

impl Quote {
    fn is_safe(&self, secrets: &[String]) -> bool {
        let quote = self.text.as_str();
        // Whatever variable it stands in, this is a URL with credentials.
        let is_url_with_user = quote.contains("://") && quote.contains('@');
        // Two assignments that ran into each other: what follows may be anything.
        let is_assignment = quote.contains(|c: char| c == '=' || c.is_control());
        !is_url_with_user
            && !is_assignment
            && secrets.iter().flat_map(|secret| parts(secret)).all(|part| !share(quote, part))
    }
}

/// A secret, and the parts of it that are secret by themselves.
fn parts(secret: &str) -> Vec<&str> {
    let mut parts = vec![secret, secret.trim()];
    if let Some((_, rest)) = secret.split_once("://") {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        if let Some((user, _)) = rest.rsplit_once('@') {
            parts.push(user);
            parts.extend(user.split_once(':').map(|(_, password)| password));
        }
        parts.extend(
            query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value),
        );
    }
    parts
}

/// Whether a quote shows a secret, or more of one than chance.
fn share(quote: &str, secret: &str) -> bool {
    // Up to three characters in common show nothing; from eight on, the rest can be guessed.
    const SHORT: usize = 3;
    const TELLING: usize = 8;
    if quote == secret || (secret.chars().count() > SHORT && quote.contains(secret)) {
        return true;
    }
    let starts: Vec<usize> = quote.char_indices().map(|(at, _)| at).chain([quote.len()]).collect();
    let telling = TELLING.min(starts.len() - 1);
    telling > SHORT
        && starts.windows(telling + 1).any(|at| secret.contains(&quote[at[0]..at[telling]]))
}

/// How many characters of a value a report shows.
const MAX_QUOTED: usize = 64;

/// What a report shows of a value, before it is escaped.
pub(crate) fn shown(value: &str) -> &str {
    value.char_indices().nth(MAX_QUOTED).map_or(value, |(end, _)| &value[..end])
}

/// A value as reports show it: in quotes, escaped, and never longer than a line.
pub(crate) fn quoted(value: &str) -> String {
    let shown = shown(value);
    if shown.len() == value.len() {
        format!("\"{}\"", escape(value))
    } else {
        format!("\"{}…\" ({} bytes)", escape(shown), value.len())
    }
}

/// A name as [`escape`] shows it, bytes that are not UTF-8 as `\xFF`.
pub(crate) fn escape_os(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02X}");
        }
    }
    escape(&text)
}

/// A name or value that cannot move the cursor of a terminal or break a line.
pub(crate) fn escape(text: &str) -> String {
    const MAX_CHARS: usize = 128;
    let mut escaped = String::with_capacity(text.len().min(MAX_CHARS));
    for (index, c) in text.chars().enumerate() {
        if index == MAX_CHARS {
            escaped.push('…');
            break;
        }
        match c {
            '\'' | '"' | '\\' => escaped.push(c),
            c => escaped.extend(c.escape_debug()),
        }
    }
    escaped
}
