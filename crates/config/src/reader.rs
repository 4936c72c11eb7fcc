//! Reading fields from a snapshot, keeping every problem.

use std::{borrow::Cow, fmt, path::PathBuf};

use crate::{
    config::{Config, Loaded, Source},
    dotenv,
    env::{Env, Variable},
    file::{self, Unreadable},
    finding::{Finding, Quote, escape, quoted},
    kubernetes,
    problem::{Problem, Problems},
    spec::{Empty, Field, Item, Nested, Presence, Spec, Unknown},
    suggest,
    value::{Invalid, Rules},
};

/// Reads fields and keeps their problems: what [`Config::read`] works with.
///
/// Every method gives `None` where there was a problem, so an implementation reads all fields first and asks for their values after.
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

/// Why the text of a variable cannot be had.
struct Unusable {
    reason: String,
    quote: Option<Quote>,
}

/// The text of a variable.
enum Text<'a> {
    Unset,
    Set(Cow<'a, str>),
    /// Its problem is kept.
    Broken,
}

/// The problem is kept already.
struct Reported;

/// A variable that was found, by its place in the environment.
#[derive(Clone, Copy)]
struct Found {
    index: usize,
    is_file: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn load<T: Config>(mut env: Env, with_sources: bool) -> Result<Loaded<T>, Problems> {
        let spec = T::SPEC;
        if cfg!(debug_assertions) {
            assert_names_are_unique(&spec);
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
            Text::Set(text) => self.parse(field, &text, parse),
            Text::Broken => None,
            Text::Unset => {
                if let Presence::Default(default) = field.presence {
                    match parse(default, &field.rules) {
                        Ok(value) => return Some(value),
                        Err(invalid) => {
                            let reason = format!(
                                "has a default in the code, {default:?}, that {}",
                                invalid.reason
                            );
                            self.report(&field.name_after(&self.prefix), reason, field.expected());
                            return None;
                        }
                    }
                }
                let name = field.name_after(&self.prefix);
                let hint = if field.form.secret && field.file {
                    format!("{}, or the path of a file with it in {name}_FILE", field.expected())
                } else {
                    field.expected()
                };
                self.report(&name, "is missing", hint);
                None
            }
        }
    }

    /// Reads a field that may have no value.
    pub fn optional<T>(
        &mut self,
        field: &Field,
        parse: impl FnOnce(&str, &Rules) -> Result<T, Invalid>,
    ) -> Option<Option<T>> {
        match self.text(field) {
            Text::Set(text) => self.parse(field, &text, parse).map(Some),
            Text::Unset => Some(None),
            Text::Broken => None,
        }
    }

    /// Reads a group of variables.
    pub fn nested<T: Config>(&mut self, nested: &Nested) -> Option<T> {
        let outer = self.prefix.len();
        self.prefix.push_str(nested.prefix);
        let value = T::read(self);
        self.prefix.truncate(outer);
        value
    }

    /// Reads a group of variables if any of them is set.
    pub fn nested_optional<T: Config>(&mut self, nested: &Nested) -> Option<Option<T>> {
        let outer = self.prefix.len();
        self.prefix.push_str(nested.prefix);
        let value =
            if self.any_is_set(nested.items) { T::read(self).map(Some) } else { Some(None) };
        self.prefix.truncate(outer);
        value
    }

    /// Adds a problem with the variable `name` of this group: for rules that span several fields.
    pub fn problem(&mut self, name: &str, reason: &'static str) {
        self.report(&[&self.prefix, name].concat(), reason, String::new());
    }

    fn parse<T>(
        &mut self,
        field: &Field,
        text: &str,
        parse: impl FnOnce(&str, &Rules) -> Result<T, Invalid>,
    ) -> Option<T> {
        let invalid = match parse(text, &field.rules) {
            Ok(value) => return Some(value),
            Err(invalid) => invalid,
        };
        let name = field.name_after(&self.prefix);
        let mut reason = invalid.clone().redacted().reason;
        let mut quote = None;
        if text.starts_with("tcp://") && kubernetes::is_service_link(self.env, &name) {
            reason = Cow::Borrowed(
                "was set by Kubernetes for a Service of that name: say enableServiceLinks: false in the pod's spec",
            );
        } else if text.trim() != text {
            reason = Cow::Borrowed("has white space around it");
        } else if field.form.quotable {
            quote = Some(Quote {
                text: text.to_owned(),
                reason: format!("is {}, which {}", quoted(text), invalid.reason),
            });
        }
        let problem = Problem {
            variable: escape(&name),
            reason: reason.into_owned(),
            expected: field.expected(),
        };
        self.problems.push(Finding { problem, quote });
        None
    }

    /// The text that the environment has for a field, by its name, its file or a former name.
    fn text(&mut self, field: &Field) -> Text<'a> {
        let found = self
            .locate(field.name, field.whole, field)
            .and_then(|found| self.with_former_names(found, field));
        let found = match found {
            Ok(Some(found)) => found,
            Ok(None) => {
                let is_default = matches!(field.presence, Presence::Default(_));
                self.note(field, if is_default { Source::Default } else { Source::Unset });
                return Text::Unset;
            }
            Err(Reported) => return Text::Broken,
        };
        match self.read_found(found, field) {
            Ok((text, source)) => {
                self.note(field, source);
                if !field.form.quotable && !text.is_empty() {
                    self.unquotable.push(text.clone().into_owned());
                }
                self.apply_empty(field, text)
            }
            Err(Unusable { reason, quote }) => {
                let variable = escape(&self.variable(found).name.to_string_lossy());
                let problem = Problem { variable, reason, expected: field.expected() };
                self.problems.push(Finding { problem, quote });
                Text::Broken
            }
        }
    }

    /// Finds `NAME` or `NAME_FILE`; where both are set, the environment goes before the `.env` file.
    fn locate(
        &mut self,
        name: &str,
        whole: bool,
        field: &Field,
    ) -> Result<Option<Found>, Reported> {
        let value = self.find(name, whole, "");
        let file = if field.file { self.find(name, whole, "_FILE") } else { None };
        for index in [value, file].into_iter().flatten() {
            self.known[index] = true;
            let variable = &self.env.variables()[index];
            // Which of several values a program sees depends on how it looks.
            if variable.others.iter().any(|other| *other != variable.value) {
                let reason = "is in the environment more than once, with different values";
                self.report(&variable.name.to_string_lossy(), reason, String::new());
                return Err(Reported);
            }
        }
        let value = value.map(|index| Found { index, is_file: false });
        let file = file.map(|index| Found { index, is_file: true });
        let (Some(value), Some(file)) = (value, file) else { return Ok(value.or(file)) };
        match (self.variable(value).line, self.variable(file).line) {
            (None, Some(_)) => Ok(Some(value)),
            (Some(_), None) => Ok(Some(file)),
            _ => {
                let name = self.variable(value).name.to_string_lossy();
                let reason = format!("is set, and so is {name}_FILE: unset one of them");
                self.report(&name, reason, field.expected());
                Err(Reported)
            }
        }
    }

    /// The index of the variable whose name is the prefix, unless `whole`, then `name`, then `suffix`.
    fn find(&mut self, name: &str, whole: bool, suffix: &str) -> Option<usize> {
        // True of most services: then half of all lookups are none.
        if !suffix.is_empty() && !self.env.has_files() {
            return None;
        }
        self.name.clear();
        if !whole {
            self.name.push_str(&self.prefix);
        }
        self.name.push_str(name);
        self.name.push_str(suffix);
        self.env.find(&self.name)
    }

    /// What was found, or what a former name has in its place.
    fn with_former_names(
        &mut self,
        mut found: Option<Found>,
        field: &Field,
    ) -> Result<Option<Found>, Reported> {
        for alias in field.aliases {
            let Some(former) = self.locate(alias, true, field)? else { continue };
            let name = field.name_after(&self.prefix);
            if found.is_some_and(|found| self.variable(found).value != self.variable(former).value)
            {
                let reason = format!(
                    "is set, and so is its former name {alias} to something else: unset {alias}"
                );
                self.report(&name, reason, field.expected());
                return Err(Reported);
            }
            let variable = (*alias).to_owned();
            let reason = format!("is the former name of {name}: set {name} in its place");
            self.warnings.push(Problem { variable, reason, expected: String::new() });
            found = found.or(Some(former));
        }
        Ok(found)
    }

    /// Whether any variable of a group is set, by its own, its file's or a former name.
    fn any_is_set(&mut self, items: &[Item]) -> bool {
        items.iter().any(|item| match item {
            Item::Field(field) => {
                let former = field.aliases.iter().map(|alias| (*alias, true));
                std::iter::once((field.name, field.whole)).chain(former).any(|(name, whole)| {
                    self.find(name, whole, "").is_some()
                        || (field.file && self.find(name, whole, "_FILE").is_some())
                })
            }
            Item::Nested(nested) => {
                let outer = self.prefix.len();
                self.prefix.push_str(nested.prefix);
                let any = self.any_is_set(nested.items);
                self.prefix.truncate(outer);
                any
            }
        })
    }

    fn note(&mut self, field: &Field, source: Source) {
        if let Some(sources) = &mut self.sources {
            sources.push((field.name_after(&self.prefix), source));
        }
    }

    fn apply_empty(&mut self, field: &Field, text: Cow<'a, str>) -> Text<'a> {
        match field.empty {
            _ if !text.is_empty() => Text::Set(text),
            Empty::Allow => Text::Set(text),
            Empty::Unset => Text::Unset,
            Empty::Deny => {
                let reason = match field.presence {
                    Presence::Required => "is empty".to_owned(),
                    Presence::Optional => "is empty: unset it to leave it out".to_owned(),
                    Presence::Default(default) => {
                        format!("is empty: unset it to use the default {default}")
                    }
                };
                self.report(&field.name_after(&self.prefix), reason, field.expected());
                Text::Broken
            }
        }
    }

    fn variable(&self, found: Found) -> &'a Variable {
        &self.env.variables()[found.index]
    }

    fn read_found(&self, found: Found, field: &Field) -> Result<(Cow<'a, str>, Source), Unusable> {
        let unusable = |reason: &str| Unusable { reason: reason.to_owned(), quote: None };
        let variable = self.variable(found);
        if !found.is_file {
            let text = variable.value.to_str().ok_or_else(|| unusable("is not UTF-8"))?;
            return Ok((
                Cow::Borrowed(text),
                variable.line.map_or(Source::Environment, Source::Dotenv),
            ));
        }
        if variable.value.is_empty() {
            return Err(unusable("is empty: it must be the path of a file"));
        }
        let path = PathBuf::from(&variable.value);
        let mut text = file::read(&path).map_err(|why| {
            let why = match why {
                Unreadable::Missing => "does not exist",
                Unreadable::Other(why) => why,
            };
            let path = path.to_string_lossy().into_owned();
            Unusable {
                reason: format!("names a file that {why}"),
                // A secret in the place of its path is a likely mistake.
                quote: field.form.quotable.then(|| Quote {
                    reason: format!("names the file {}, which {why}", quoted(&path)),
                    text: path,
                }),
            }
        })?;
        // Editors and `echo` end a file with a line break; a second one would be part of the value.
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Ok((Cow::Owned(text), Source::File(path)))
    }

    /// Reports variables that have the configuration's prefix and belong to no field.
    fn find_unknown(&mut self, spec: &Spec) {
        if spec.prefix.is_empty() || spec.unknown == Unknown::Allow {
            return;
        }
        let mut unknown: Vec<&Variable> = Vec::new();
        for (variable, known) in self.env.variables().iter().zip(&self.known) {
            if !known && variable.name.as_encoded_bytes().starts_with(spec.prefix.as_bytes()) {
                unknown.push(variable);
            }
        }
        unknown.sort_by_key(|variable| &variable.name);
        let mut names = None;
        for variable in unknown {
            let name = variable.name.to_string_lossy();
            if kubernetes::is_service_link(self.env, &name) {
                continue;
            }
            let names = names.get_or_insert_with(|| spec.names());
            let (stem, suffix) =
                name.strip_suffix("_FILE").map_or((&*name, ""), |stem| (stem, "_FILE"));
            let mut reason = "is not a variable of this service".to_owned();
            if let Some(meant) = suggest::closest(stem, names.iter().map(String::as_str)) {
                reason = format!("{reason}: did you mean {meant}{suffix}?");
            }
            if let Some(line) = variable.line {
                reason = format!("{reason} (line {line} of the .env file)");
            }
            let problem = Problem { variable: escape(&name), reason, expected: String::new() };
            match spec.unknown {
                Unknown::Deny => self.problems.push(problem.into()),
                Unknown::Warn | Unknown::Allow => self.warnings.push(problem),
            }
        }
    }

    fn report(&mut self, variable: &str, reason: impl Into<String>, expected: String) {
        let problem = Problem { variable: escape(variable), reason: reason.into(), expected };
        self.problems.push(problem.into());
    }

    /// Decides about quotes: none that contains the text of a secret, or most of one.
    fn into_problems(mut self, spec: &Spec) -> Vec<Problem> {
        // A secret that could not be read, as one that is set twice, is a secret all the same.
        spec.visit(|visited| {
            let field = visited.field;
            if field.form.quotable {
                return;
            }
            let former = field.aliases.iter().map(|alias| (*alias).to_owned());
            for name in std::iter::once(visited.name()).chain(former) {
                for name in [format!("{name}_FILE"), name] {
                    if let Some(index) = self.env.find(&name) {
                        let Variable { value, others, .. } = &self.env.variables()[index];
                        let values = std::iter::once(value).chain(others);
                        self.unquotable
                            .extend(values.map(|value| value.to_string_lossy().into_owned()));
                    }
                }
            }
        });
        let Reader { problems, unquotable, .. } = self;
        problems.into_iter().map(|finding| finding.decide(&unquotable)).collect()
    }
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("prefix", &self.prefix)
            .field("problems", &self.problems.len())
            .finish_non_exhaustive()
    }
}

fn assert_names_are_unique(spec: &Spec) {
    let mut names = spec.names();
    names.sort();
    for pair in names.windows(2) {
        assert_ne!(
            pair[0], pair[1],
            "two fields of `{}` read the same variable: rename one",
            spec.name
        );
    }
}
