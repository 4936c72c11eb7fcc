//! Reading fields from a snapshot, keeping every problem.

use std::{borrow::Cow, ffi::OsStr, fmt, path::PathBuf};

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
    /// Which of the environment's variables belong to a field.
    known: Vec<bool>,
    problems: Vec<Finding>,
    warnings: Vec<Problem>,
    sources: Vec<(String, Source)>,
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

/// A variable that was found, by its place in the environment.
#[derive(Clone, Copy)]
struct Found {
    index: usize,
    is_file: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn load<T: Config>(mut env: Env) -> Result<Loaded<T>, Problems> {
        let spec = T::SPEC;
        if cfg!(debug_assertions) {
            assert_names_are_unique(&spec);
        }
        let mut problems = Vec::new();
        dotenv::merge(&spec, &mut env, &mut problems);
        let mut reader = Reader {
            env: &env,
            prefix: spec.prefix.to_owned(),
            known: vec![false; env.variables().len()],
            problems: problems.into_iter().map(Finding::from).collect(),
            warnings: Vec::new(),
            sources: Vec::new(),
            unquotable: Vec::new(),
        };
        let value = T::read(&mut reader);
        reader.find_unknown(&spec);
        match value {
            Some(value) if reader.problems.is_empty() => Ok(Loaded {
                value,
                warnings: reader.warnings,
                sources: reader.sources,
            }),
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
                    format!(
                        "{}, or the path of a file with it in {name}_FILE",
                        field.expected()
                    )
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
        let mut prefix = [&self.prefix, nested.prefix].concat();
        if self.any_is_set(nested.items, &mut prefix) {
            self.nested(nested).map(Some)
        } else {
            Some(None)
        }
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

    /// The text that the environment has for a field, by its name, its file or one of its former names.
    fn text(&mut self, field: &Field) -> Text<'a> {
        let prefix = std::mem::take(&mut self.prefix);
        let text = self.text_after(if field.whole { "" } else { &prefix }, field);
        self.prefix = prefix;
        text
    }

    fn text_after(&mut self, prefix: &str, field: &Field) -> Text<'a> {
        let Ok(mut found) = self.locate(prefix, field.name, field) else {
            return Text::Broken;
        };
        for alias in field.aliases {
            let Ok(former) = self.locate("", alias, field) else {
                return Text::Broken;
            };
            let Some(former) = former else { continue };
            let name = [prefix, field.name].concat();
            match found {
                Some(found) if self.variable(found).value != self.variable(former).value => {
                    let reason = format!(
                        "is set, and so is its former name {alias} to something else: unset {alias}"
                    );
                    self.report(&name, reason, field.expected());
                    return Text::Broken;
                }
                _ => {
                    let reason = format!("is the former name of {name}: set {name} in its place");
                    self.warnings.push(Problem {
                        variable: (*alias).to_owned(),
                        reason,
                        expected: String::new(),
                    });
                    found = found.or(Some(former));
                }
            }
        }
        let Some(found) = found else {
            let source = if let Presence::Default(_) = field.presence {
                Source::Default
            } else {
                Source::Unset
            };
            self.sources.push(([prefix, field.name].concat(), source));
            return Text::Unset;
        };
        match self.read_found(found, field) {
            Ok((text, source)) => {
                self.sources.push(([prefix, field.name].concat(), source));
                if !field.form.quotable && !text.is_empty() {
                    self.unquotable.push(text.clone().into_owned());
                }
                self.apply_empty(prefix, field, text)
            }
            Err(Unusable { reason, quote }) => {
                let variable = escape(&self.variable(found).name.to_string_lossy());
                self.problems.push(Finding {
                    problem: Problem {
                        variable,
                        reason,
                        expected: field.expected(),
                    },
                    quote,
                });
                Text::Broken
            }
        }
    }

    fn apply_empty(&mut self, prefix: &str, field: &Field, text: Cow<'a, str>) -> Text<'a> {
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
                self.report(&[prefix, field.name].concat(), reason, field.expected());
                Text::Broken
            }
        }
    }

    /// Finds `NAME` or `NAME_FILE`; where both are set, the environment goes before the `.env` file.
    fn locate(&mut self, prefix: &str, name: &str, field: &Field) -> Result<Option<Found>, ()> {
        let parts = [OsStr::new(prefix), OsStr::new(name), OsStr::new("_FILE")];
        let start = self.env.position(&parts[..2]);
        // Names are sorted, so where nothing begins with NAME, there is no NAME_FILE either: true of most fields of most services.
        if !self
            .env
            .variables()
            .get(start)
            .is_some_and(|variable| variable.begins_with(&parts[..2]))
        {
            return Ok(None);
        }
        let value = self.claim(start, &parts[..2])?.map(|index| Found {
            index,
            is_file: false,
        });
        let file = if field.file {
            self.claim(self.env.position(&parts), &parts)?
                .map(|index| Found {
                    index,
                    is_file: true,
                })
        } else {
            None
        };
        let (Some(value), Some(file)) = (value, file) else {
            return Ok(value.or(file));
        };
        match (self.variable(value).line, self.variable(file).line) {
            (None, Some(_)) => Ok(Some(value)),
            (Some(_), None) => Ok(Some(file)),
            _ => {
                let name = [prefix, name].concat();
                let reason = format!("is set, and so is {name}_FILE: unset one of them");
                self.report(&name, reason, field.expected());
                Err(())
            }
        }
    }

    /// Marks the variable at `index` as known, if that is its name.
    fn claim(&mut self, index: usize, parts: &[&OsStr]) -> Result<Option<usize>, ()> {
        let variables = self.env.variables();
        let same = variables[index..]
            .iter()
            .take_while(|variable| variable.is_named(parts))
            .count();
        self.known[index..index + same].fill(true);
        let Some(first) = variables[index..index + same].first() else {
            return Ok(None);
        };
        // Possible by execve(2), which takes any list of strings. Which of them a program sees depends on how it looks.
        if variables[index + 1..index + same]
            .iter()
            .any(|other| other.value != first.value)
        {
            let name = first.name.to_string_lossy().into_owned();
            self.report(
                &name,
                "is in the environment more than once, with different values",
                String::new(),
            );
            return Err(());
        }
        Ok(Some(index))
    }

    fn variable(&self, found: Found) -> &'a Variable {
        &self.env.variables()[found.index]
    }

    fn read_found(&self, found: Found, field: &Field) -> Result<(Cow<'a, str>, Source), Unusable> {
        let unusable = |reason: &str| Unusable {
            reason: reason.to_owned(),
            quote: None,
        };
        let variable = self.variable(found);
        if !found.is_file {
            let text = variable
                .value
                .to_str()
                .ok_or_else(|| unusable("is not UTF-8"))?;
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

    fn any_is_set(&self, items: &[Item], prefix: &mut String) -> bool {
        items.iter().any(|item| match item {
            Item::Field(field) => {
                let own = (if field.whole { "" } else { prefix.as_str() }, field.name);
                let former = field.aliases.iter().map(|alias| ("", *alias));
                std::iter::once(own).chain(former).any(|(prefix, name)| {
                    let parts = [OsStr::new(prefix), OsStr::new(name), OsStr::new("_FILE")];
                    self.has(&parts[..2]) || (field.file && self.has(&parts))
                })
            }
            Item::Nested(nested) => {
                let outer = prefix.len();
                prefix.push_str(nested.prefix);
                let any = self.any_is_set(nested.items, prefix);
                prefix.truncate(outer);
                any
            }
        })
    }

    fn has(&self, parts: &[&OsStr]) -> bool {
        self.env
            .variables()
            .get(self.env.position(parts))
            .is_some_and(|variable| variable.is_named(parts))
    }

    /// Reports variables that have the configuration's prefix and belong to no field.
    fn find_unknown(&mut self, spec: &Spec) {
        if spec.prefix.is_empty() || spec.unknown == Unknown::Allow {
            return;
        }
        let prefix = [OsStr::new(spec.prefix)];
        let start = self.env.position(&prefix);
        let mut names = None;
        for (offset, variable) in self.env.variables()[start..].iter().enumerate() {
            if !variable.begins_with(&prefix) {
                break;
            }
            let name = variable.name.to_string_lossy();
            if self.known[start + offset] || kubernetes::is_service_link(self.env, &name) {
                continue;
            }
            let names = names.get_or_insert_with(|| spec.names());
            let (stem, suffix) = name
                .strip_suffix("_FILE")
                .map_or((&*name, ""), |stem| (stem, "_FILE"));
            let mut reason = "is not a variable of this service".to_owned();
            if let Some(meant) = suggest::closest(stem, names.iter().map(String::as_str)) {
                reason = format!("{reason}: did you mean {meant}{suffix}?");
            }
            if let Some(line) = variable.line {
                reason = format!("{reason} (line {line} of the .env file)");
            }
            let problem = Problem {
                variable: escape(&name),
                reason,
                expected: String::new(),
            };
            match spec.unknown {
                Unknown::Deny => self.problems.push(problem.into()),
                Unknown::Warn | Unknown::Allow => self.warnings.push(problem),
            }
        }
    }

    fn report(&mut self, variable: &str, reason: impl Into<String>, expected: String) {
        let problem = Problem {
            variable: escape(variable),
            reason: reason.into(),
            expected,
        };
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
            let prefix = if field.whole { "" } else { visited.prefix };
            for (prefix, name) in std::iter::once((prefix, field.name))
                .chain(field.aliases.iter().map(|alias| ("", *alias)))
            {
                let parts = [OsStr::new(prefix), OsStr::new(name), OsStr::new("_FILE")];
                for parts in [&parts[..2], &parts] {
                    let from = &self.env.variables()[self.env.position(parts)..];
                    let same = from.iter().take_while(|variable| variable.is_named(parts));
                    self.unquotable
                        .extend(same.map(|variable| variable.value.to_string_lossy().into_owned()));
                }
            }
        });
        let Reader {
            problems,
            unquotable,
            ..
        } = self;
        problems
            .into_iter()
            .map(|finding| finding.decide(&unquotable))
            .collect()
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
