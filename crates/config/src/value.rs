//! What one variable's text may be read as.

mod byte_size;
mod duration;
mod list;
mod net;
mod number;
mod text;
mod url;

use std::{borrow::Cow, str::FromStr};

pub use self::{byte_size::ByteSize, url::Url};
use crate::suggest;

/// A type that is read from the text of one variable.
///
/// Implemented for `String`, `PathBuf`, `bool`, the integers, `f32` and `f64` (finite), [`Duration`](std::time::Duration),
/// [`ByteSize`], [`Url`], IP and socket addresses, `Vec` of any of them (separated by commas), and [`Secret`](crate::Secret) around
/// any of them. `#[derive(Value)]` writes it for an enum of names and for a newtype.
///
/// By hand:
///
/// ```
/// use underpin_config::{Form, Invalid, Rules, Value};
///
/// struct Currency([u8; 3]);
///
/// impl Value for Currency {
///     const FORM: Form = Form::text("a currency code such as EUR");
///
///     fn parse(text: &str, _: &Rules) -> Result<Self, Invalid> {
///         match text.as_bytes() {
///             &[a, b, c] if text.bytes().all(|byte| byte.is_ascii_uppercase()) => Ok(Currency([a, b, c])),
///             _ => Err(Invalid::new("is not three capital letters")),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from an environment variable",
    label = "no `underpin_config::Value` for this type",
    note = "an enum of names or a newtype: add `#[derive(underpin_config::Value)]` to it",
    note = "a type with `FromStr`: add `#[config(from_str, expects = \"...\")]` to the field",
    note = "a struct of several variables: add `#[config(nested)]` to the field"
)]
pub trait Value: Sized {
    /// What a valid text looks like, for reports and generated documents.
    const FORM: Form;

    /// Reads `text`, which is not empty unless the field allows that, by the field's rules.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the text. A [`Secret`](crate::Secret) drops everything in it but the fixed words.
    fn parse(text: &str, rules: &Rules) -> Result<Self, Invalid>;
}

/// A [`Value`] that `range` applies to: numbers, durations and byte sizes.
#[diagnostic::on_unimplemented(
    message = "`range` does not apply to `{Self}`",
    label = "has no order that a range could check",
    note = "use `range` on a number, a `Duration` or a `ByteSize`; for anything else use `check = path_of_a_function`"
)]
pub trait Ranged: Value {}

/// A [`Value`] that `schemes` applies to: URLs.
#[diagnostic::on_unimplemented(
    message = "`schemes` does not apply to `{Self}`",
    label = "is not a URL",
    note = "use `schemes` on a `underpin_config::Url`, or remove it"
)]
pub trait Schemed: Value {}

/// A [`Value`] that `unit` applies to: durations and byte sizes.
#[diagnostic::on_unimplemented(
    message = "`unit` does not apply to `{Self}`",
    label = "is not measured in units",
    note = "use `unit` on a `Duration` or a `ByteSize`, or remove it"
)]
pub trait Measured: Value {
    /// The names of the units.
    const UNITS: &'static [&'static str];
}

/// A [`Value`] that `separator` applies to: lists.
#[diagnostic::on_unimplemented(
    message = "`separator` does not apply to `{Self}`",
    label = "is not a list",
    note = "use `separator` on a `Vec`, or remove it"
)]
pub trait Listed: Value {}

/// What the valid texts of a [`Value`] look like.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    pub(crate) shape: Shape,
    pub(crate) expects: &'static str,
    pub(crate) secret: bool,
    pub(crate) quotable: bool,
    /// Several texts of this form with separators between them.
    pub(crate) list: bool,
}

/// The part of a [`Form`] that JSON Schema can express.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    Text,
    Boolean,
    /// The bounds of the type; an empty one is open.
    Integer(Range),
    Number,
    /// The names, and others that are accepted in their place.
    Choice(&'static [&'static str], &'static [&'static str]),
    /// A regular expression, anchored, in the dialect that JSON Schema asks for (ECMA-262).
    Pattern(&'static str),
}

impl Form {
    /// Free text; `expects` completes "expected …", as in `"a currency code such as EUR"`.
    pub const fn text(expects: &'static str) -> Form {
        Form::new(Shape::Text, expects)
    }

    /// One of `names`, compared without regard to ASCII case.
    pub const fn choice(names: &'static [&'static str]) -> Form {
        Form::new(Shape::Choice(names, &[]), "")
    }

    /// The same choice, where `aliases` are accepted too.
    #[must_use]
    pub const fn or(self, aliases: &'static [&'static str]) -> Form {
        match self.shape {
            Shape::Choice(names, _) => Form { shape: Shape::Choice(names, aliases), ..self },
            _ => self,
        }
    }

    /// Whether no output may show a text of this form.
    pub const fn is_secret(&self) -> bool {
        self.secret
    }

    /// The same form, whose texts no report quotes: for values that may hold a credential.
    #[must_use]
    pub const fn unquoted(self) -> Form {
        Form { quotable: false, ..self }
    }

    pub(crate) const fn integer(low: &'static str, high: &'static str) -> Form {
        Form::new(Shape::Integer(Range { low, high }), "a whole number")
    }

    pub(crate) const fn new(shape: Shape, expects: &'static str) -> Form {
        Form { shape, expects, secret: false, quotable: true, list: false }
    }

    pub(crate) const fn secret(self) -> Form {
        Form { secret: true, quotable: false, ..self }
    }

    pub(crate) const fn list(self) -> Form {
        Form { list: true, ..self }
    }
}

/// What a field's attributes ask of its text.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub(crate) range: Option<Range>,
    pub(crate) schemes: &'static [&'static str],
    pub(crate) unit: Option<&'static str>,
    pub(crate) separator: char,
}

/// Bounds in the notation of the type they bound; an empty one is open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) low: &'static str,
    pub(crate) high: &'static str,
}

impl Range {
    pub(crate) const OPEN: Range = Range { low: "", high: "" };
}

impl Rules {
    /// Nothing asked; lists are separated by commas.
    pub const NONE: Rules = Rules { range: None, schemes: &[], unit: None, separator: ',' };

    /// The schemes a URL may have; empty for any.
    pub fn schemes(&self) -> &'static [&'static str] {
        self.schemes
    }

    /// The unit of a number written without one.
    pub fn unit(&self) -> Option<&'static str> {
        self.unit
    }

    /// What separates the items of a list.
    pub fn separator(&self) -> char {
        self.separator
    }

    /// Checks `value` against the field's range, whose bounds `parse` reads.
    pub(crate) fn check<T: PartialOrd>(
        &self,
        value: T,
        parse: impl Fn(&str) -> Result<T, Invalid>,
    ) -> Result<T, Invalid> {
        let Some(range) = self.range else {
            return Ok(value);
        };
        let bound = |text: &str| {
            parse(text)
                .map_err(|_| Invalid::new("has a range in the code that is not valid itself"))
        };
        if !range.low.is_empty() && value < bound(range.low)? {
            return Err(Invalid::new("is too small"));
        }
        if !range.high.is_empty() && value > bound(range.high)? {
            return Err(Invalid::new("is too large"));
        }
        Ok(value)
    }
}

/// Why a text is not a value.
///
/// The reason is fixed text, so that it cannot carry the value into a report; the report itself quotes values where that is safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Completes "`VARIABLE` …".
    pub(crate) reason: Cow<'static, str>,
}

impl Invalid {
    /// `reason` completes "`VARIABLE` …", as in `"is not three capital letters"`.
    pub const fn new(reason: &'static str) -> Invalid {
        Invalid { reason: Cow::Borrowed(reason) }
    }

    /// The reason for a text that is none of the names of a choice; suggests the closest.
    pub fn not_one_of(text: &str, form: &Form) -> Invalid {
        let Shape::Choice(names, _) = form.shape else {
            return Invalid::new("is not valid");
        };
        match suggest::closest(text, names.iter().copied()) {
            Some(meant) => Invalid::quoting(format!("is none of the names: did you mean {meant}?")),
            None => Invalid::new("is none of the names"),
        }
    }

    /// A reason with a part of the value in it. Only for types whose reports may quote them: [`Secret`](crate::Secret) drops it.
    pub(crate) fn quoting(reason: String) -> Invalid {
        Invalid { reason: Cow::Owned(reason) }
    }

    /// The same reason without any part of the value.
    pub(crate) fn redacted(self) -> Invalid {
        match self.reason {
            Cow::Borrowed(reason) => Invalid::new(reason),
            Cow::Owned(_) => Invalid::new("is not valid"),
        }
    }
}

/// Reads a foreign type by its [`FromStr`]; what `#[config(from_str)]` calls.
///
/// # Errors
///
/// Drops the type's own error, whose text might quote a secret.
pub fn from_str<T: FromStr>(text: &str, _: &Rules) -> Result<T, Invalid> {
    text.parse().map_err(|_| Invalid::new("is not valid"))
}

/// Whether `unit` is one of `units`; for the derive, which asks while it compiles.
#[doc(hidden)]
pub const fn has_unit(units: &[&str], unit: &str) -> bool {
    let mut index = 0;
    while index < units.len() {
        if is_same(units[index].as_bytes(), unit.as_bytes()) {
            return true;
        }
        index += 1;
    }
    false
}

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    let mut index = 0;
    while index < a.len() && index < b.len() && a[index] == b[index] {
        index += 1;
    }
    index == a.len() && index == b.len()
}
