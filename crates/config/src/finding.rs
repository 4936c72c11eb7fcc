//! Problems in the making: what they may quote is known only when everything has been read.

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
        // Up to three characters in common are chance, and show nothing.
        let long = |text: &str| text.chars().count() > 3;
        let quote = self.text.as_str();
        secrets.iter().all(|secret| {
            secret != quote
                && !(long(secret) && quote.contains(secret.as_str()))
                && !(long(quote) && secret.contains(quote))
        })
    }
}

/// A value as reports show it: in quotes, escaped, and never longer than a line.
pub(crate) fn quoted(value: &str) -> String {
    const MAX_CHARS: usize = 64;
    match value.char_indices().nth(MAX_CHARS) {
        None => format!("\"{}\"", escape(value)),
        Some((end, _)) => format!("\"{}…\" ({} bytes)", escape(&value[..end]), value.len()),
    }
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
