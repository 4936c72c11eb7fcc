//! Reading fields from a snapshot, keeping every problem.

mod lookup;
mod report;

use std::{borrow::Cow, fmt, path::PathBuf};

use crate::{
    config::{Config, Loaded, Source},
    dotenv,
    env::Env,
    file::{self, Unreadable},
    finding::{Finding, Quote, escape_os, quoted, shown},
    kubernetes,
    problem::{Problem, Problems},
    reader::lookup::{Found, Reported},
    spec::{Empty, Field, Nested, Presence},
    value::{Invalid, Ranged, Rules},
};

/// Reads fields and keeps their problems: what [`Config::read`] works with.
///
/// Every method gives `None` where there was a problem, so an implementation reads all fields first
/// and asks for their values after.
pub struct Reader<'a> {
    env: &'a Env,
    prefix: String,
    /// Where names are put together.
    name: String,
    /// Which of the environment's variables belong to a field.
    known: Vec<bool>,
    problems: Vec<Finding>,
    warnings: Vec<Problem>,
    /// Kept only where somebody asks: it costs an allocation a field.
    sources: Option<Vec<(String, Source)>>,
    /// Texts that no report may quote.
    unquotable: Vec<String>,
}

/// The text of a variable.
enum Text<'a> {
    Unset,
    Set(Cow<'a, str>, Found),
    /// Its problem is kept.
    Broken,
}

impl<'a> Reader<'a> {
    pub(crate) fn load<T: Config>(mut env: Env, with_sources: bool) -> Result<Loaded<T>, Problems> {
        let spec = T::SPEC;
        if cfg!(debug_assertions) {
            spec.assert_names_are_unique();
        }
        let mut problems = Vec::new();
        dotenv::merge(&spec, &mut env, &mut problems);
        let mut reader = Reader {
            env: &env,
            prefix: spec.prefix.to_owned(),
            name: String::new(),
            known: vec![false; env.variables().len()],
            problems: problems.into_iter().map(Finding::from).collect(),
            warnings: Vec::new(),
            sources: with_sources.then(Vec::new),
            unquotable: Vec::new(),
        };
        let value = T::read(&mut reader);
        reader.find_unknown(&spec);
        match value {
            Some(value) if reader.problems.is_empty() => {
                let sources = reader.sources.unwrap_or_default();
                Ok(Loaded { value, warnings: reader.warnings, sources })
            }
            _ => Err(Problems::new(reader.into_problems(&spec))),
        }
    }

    /// Reads a field that must have a value: its text, or its default.
    pub fn required<T>(
        &mut self,
        field: &Field,
        parse: impl FnOnce(&str, &Rules) -> Result<T, Invalid>,
    ) -> Option<T> {
        match self.text(field) {
            Text::Set(text, found) => self.parse(field, &text, found, parse),
            Text::Unset => self.default(field, parse),
            Text::Broken => None,
        }
    }

    /// Reads a field that may have no value.
    pub fn optional<T>(
        &mut self,
        field: &Field,
        parse: impl FnOnce(&str, &Rules) -> Result<T, Invalid>,
    ) -> Option<Option<T>> {
        match self.text(field) {
            Text::Set(text, found) => self.parse(field, &text, found, parse).map(Some),
            Text::Unset => Some(None),
            Text::Broken => None,
        }
    }

    /// Reads a group of variables.
    pub fn nested<T: Config>(&mut self, nested: &Nested) -> Option<T> {
        self.below(nested.prefix, T::read)
    }

    /// Reads a group of variables if any of them is set.
    pub fn nested_optional<T: Config>(&mut self, nested: &Nested) -> Option<Option<T>> {
        self.below(nested.prefix, |reader| {
            if reader.any_is_set(nested.items) { T::read(reader).map(Some) } else { Some(None) }
        })
    }

    /// Adds a problem with the variable `name` of this group: for rules that span several fields.
    pub fn problem(&mut self, name: &str, reason: &'static str) {
        self.report(&[&self.prefix, name].concat(), reason, String::new());
    }

    /// Checks the range of a field, with debug assertions on.
    ///
    /// # Panics
    ///
    /// If the bounds are no values of the field's type or leave no value between them.
    pub fn assert_range<T: Ranged>(field: &Field) {
        if let (true, Some(range)) = (cfg!(debug_assertions), field.rules.range) {
            for bound in [range.low, range.high].into_iter().filter(|bound| !bound.is_empty()) {
                let is_valid = T::parse(bound, &field.rules).is_ok();
                assert!(is_valid, "the range of `{}` has no valid bound {bound:?}", field.name);
            }
        }
    }

    fn below<T>(&mut self, prefix: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.prefix.len();
        self.prefix.push_str(prefix);
        let value = read(self);
        self.prefix.truncate(outer);
        value
    }

    /// The default of a field that is not set.
    fn default<T>(
        &mut self,
        field: &Field,
        parse: impl FnOnce(&str, &Rules) -> Result<T, Invalid>,
    ) -> Option<T> {
        let name = field.name_after(&self.prefix);
        let Presence::Default(default) = field.presence else {
            let expected = if field.form.secret && field.file {
                format!("{}, or the path of a file with it in {name}_FILE", field.expected())
            } else {
                field.expected()
            };
            self.report(&name, "is missing", expected);
            return None;
        };
        match parse(default, &field.rules) {
            Ok(value) => Some(value),
            Err(Invalid { reason }) => {
                let reason =
                    format!("has a default in the code, {}, that {reason}", quoted(default));
                self.report(&name, reason, field.expected());
                None
            }
        }
    }

    fn parse<T>(
        &mut self,
        field: &Field,
        text: &str,
        found: Found,
        parse: impl FnOnce(&str, &Rules) -> Result<T, Invalid>,
    ) -> Option<T> {
        let invalid = match parse(text, &field.rules) {
            Ok(value) => return Some(value),
            Err(invalid) => invalid,
        };
        let name = self.variable(found).name.to_string_lossy();
        let mut reason = invalid.clone().redacted().reason;
        let mut quote = None;
        if found.is_file {
            // Never quoted: it may be somebody else's secret.
            reason = format!("names a file whose text {reason}").into();
        } else if text.starts_with("tcp://") && kubernetes::is_service_link(self.env, &name) {
            reason = "was set by Kubernetes for a Service of that name: \
                      say enableServiceLinks: false in the pod's spec"
                .into();
        } else if text.trim() != text {
            reason = "has white space around it".into();
        } else if field.form.quotable {
            let shown = shown(text);
            // A reason may show a part of the value that comes after what is shown of it.
            let why = if shown.len() == text.len() { &invalid.reason } else { &reason };
            let reason = format!("is {}, which {why}", quoted(text));
            quote = Some(Quote { text: shown.to_owned(), reason });
        }
        self.keep(found, reason.into_owned(), quote, field.expected());
        None
    }

    /// The text that the environment has for a field, by its name, its file or a former name.
    fn text(&mut self, field: &Field) -> Text<'a> {
        let found = match self.locate_any(field) {
            Ok(Some(found)) => found,
            Ok(None) => return self.unset(field),
            Err(Reported) => return Text::Broken,
        };
        let text = if found.is_file {
            self.text_of_file(field, found)
        } else {
            self.text_of_variable(field, found)
        };
        let Ok((text, source)) = text else { return Text::Broken };
        if text.is_empty() && field.empty == Empty::Unset {
            return self.unset(field);
        }
        self.note(field, source);
        if !field.form.quotable && !text.is_empty() {
            self.unquotable.push(text.clone().into_owned());
        }
        match field.empty {
            Empty::Deny if text.is_empty() => {
                let what = if found.is_file { "names a file that is empty" } else { "is empty" };
                let reason = match field.presence {
                    Presence::Required => what.to_owned(),
                    Presence::Optional => format!("{what}: unset it to leave it out"),
                    Presence::Default(default) => {
                        format!("{what}: unset it to use the default {}", quoted(default))
                    }
                };
                self.keep(found, reason, None, field.expected());
                Text::Broken
            }
            Empty::Deny | Empty::Allow | Empty::Unset => Text::Set(text, found),
        }
    }

    fn unset(&mut self, field: &Field) -> Text<'a> {
        let is_default = matches!(field.presence, Presence::Default(_));
        self.note(field, if is_default { Source::Default } else { Source::Unset });
        Text::Unset
    }

    fn text_of_variable(
        &mut self,
        field: &Field,
        found: Found,
    ) -> Result<(Cow<'a, str>, Source), Reported> {
        let variable = self.variable(found);
        let source = variable.line.map_or(Source::Environment, Source::Dotenv);
        let text = variable.value.to_str().ok_or_else(|| {
            self.keep(found, "is not UTF-8".to_owned(), None, field.expected());
            Reported
        })?;
        Ok((Cow::Borrowed(text), source))
    }

    fn text_of_file(
        &mut self,
        field: &Field,
        found: Found,
    ) -> Result<(Cow<'a, str>, Source), Reported> {
        let path = PathBuf::from(&self.variable(found).value);
        let why = match file::read(&path) {
            Ok(text) => return Ok((Cow::Owned(without_line_break(text)), Source::File(path))),
            Err(_) if path.as_os_str().is_empty() => None,
            Err(Unreadable::Missing) => Some("does not exist"),
            Err(Unreadable::Other(why)) => Some(why),
        };
        let reason = match why {
            Some(why) => format!("names a file that {why}"),
            None => "is empty".to_owned(),
        };
        // A secret in the place of its path is a likely mistake.
        let quote = why.filter(|_| field.form.quotable).map(|why| {
            let text = path.to_string_lossy().into_owned();
            Quote { reason: format!("names the file {}, which {why}", quoted(&text)), text }
        });
        self.keep(found, reason, quote, format!("the path of a file with {}", field.expected()));
        Err(Reported)
    }

    fn note(&mut self, field: &Field, source: Source) {
        if let Some(sources) = &mut self.sources {
            sources.push((field.name_after(&self.prefix), source));
        }
    }

    /// Keeps a problem with a variable that was found.
    fn keep(&mut self, found: Found, reason: String, quote: Option<Quote>, expected: String) {
        let variable = self.variable(found);
        let place =
            variable.line.map_or(String::new(), |line| format!(" (line {line} of the .env file)"));
        let quote = quote.map(|quote| Quote { reason: quote.reason + &place, ..quote });
        let problem =
            Problem { variable: escape_os(&variable.name), reason: reason + &place, expected };
        self.problems.push(Finding { problem, quote });
    }
}

/// Editors and `echo` end a file with a line break; a second one would be part of the value.
fn without_line_break(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("prefix", &self.prefix)
            .field("problems", &self.problems.len())
            .finish_non_exhaustive()
    }
}
