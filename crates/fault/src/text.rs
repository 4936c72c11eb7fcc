//! Text that is bounded, printable and safe to keep.

use std::{
    borrow::Cow,
    error::Error,
    fmt::{self, Display, Write},
    panic::{AssertUnwindSafe, catch_unwind},
};

/// The most bytes of one rendered value.
pub(crate) const VALUE_LIMIT: usize = 4096;
/// The most causes that are walked: a `source()` that returns itself must not hang its reader.
const CHAIN_LIMIT: usize = 64;
/// What marks text that was cut.
const ELLIPSIS: char = '…';

/// Renders a value at once and keeps at most [`VALUE_LIMIT`] bytes of it.
///
/// A `Display` that panics or fails costs its own text and nothing else.
pub(crate) fn render(value: &dyn Display) -> String {
    let mut text = Bounded { text: String::new(), cut: false };
    // The text is only appended to, so that a panic half way leaves it valid.
    match catch_unwind(AssertUnwindSafe(|| write!(text, "{value}"))) {
        // First, for there are types that swallow the error which says to stop.
        Ok(_) if text.cut => text.text.push(ELLIPSIS),
        Ok(Ok(())) => {}
        Ok(Err(_)) => text.text.push_str("<Display failed>"),
        Err(_) => text.text.push_str("<Display panicked>"),
    }
    text.text
}

/// At most [`VALUE_LIMIT`] bytes of a text, unchanged where that is all of it.
pub(crate) fn bound(text: Cow<'static, str>) -> Cow<'static, str> {
    if text.len() <= VALUE_LIMIT {
        return text;
    }
    let mut kept = clip(&text, VALUE_LIMIT).to_owned();
    kept.push(ELLIPSIS);
    Cow::Owned(kept)
}

/// The error and its sources, outermost first.
pub(crate) fn chain<'a>(
    first: Option<&'a (dyn Error + 'static)>,
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(first, |&error| error.source()).take(CHAIN_LIMIT)
}

/// At most `limit` bytes of `text`, cut between characters.
pub(crate) fn clip(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    // `str::floor_char_boundary` is newer than the oldest supported compiler.
    let end = (0..=limit).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    &text[..end]
}

/// Shows text on one line: control characters, line and paragraph separators and bidirectional overrides are escaped.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(breaks_a_line) {
            let (plain, tail) = rest.split_at(at);
            f.write_str(plain)?;
            let mut chars = tail.chars();
            if let Some(special) = chars.next() {
                write!(f, "{}", special.escape_default())?;
            }
            rest = chars.as_str();
        }
        f.write_str(rest)
    }
}

fn breaks_a_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Stops the formatting when it is full, so that a huge value costs no more than the part that is kept.
struct Bounded {
    text: String,
    cut: bool,
}

impl Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if self.cut {
            return Err(fmt::Error);
        }
        let kept = clip(part, VALUE_LIMIT - self.text.len());
        self.text.push_str(kept);
        self.cut = kept.len() < part.len();
        if self.cut { Err(fmt::Error) } else { Ok(()) }
    }
}
