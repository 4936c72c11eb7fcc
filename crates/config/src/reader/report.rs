//! What is known when every field has been read: unknown variables, and what may be quoted.

use std::path::Path;

use super::Reader;
use crate::{
    env::Variable,
    file,
    finding::{escape, escape_os},
    kubernetes,
    problem::Problem,
    spec::{Spec, Unknown},
    suggest,
};

impl Reader<'_> {
    pub(super) fn report(&mut self, variable: &str, reason: impl Into<String>, expected: String) {
        let problem = Problem { variable: escape(variable), reason: reason.into(), expected };
        self.problems.push(problem.into());
    }

    /// Reports variables that have the configuration's prefix and belong to no field.
    pub(super) fn find_unknown(&mut self, spec: &Spec) {
        if spec.prefix.is_empty() || spec.unknown == Unknown::Allow {
            return;
        }
        let is_ours = |variable: &Variable| {
            variable.name.as_encoded_bytes().starts_with(spec.prefix.as_bytes())
                && spec.profile.is_none_or(|profile| variable.name != *profile)
        };
        let mut unknown: Vec<&Variable> = Vec::new();
        for (variable, known) in self.env.variables().iter().zip(&self.known) {
            if !known && is_ours(variable) {
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
            // It may be a secret whose name is misspelt.
            let values = variable.values().map(|value| value.to_string_lossy().into_owned());
            self.unquotable.extend(values);
            let names = names.get_or_insert_with(|| spec.names());
            let problem = self.unknown(variable, &name, names);
            match spec.unknown {
                Unknown::Deny => self.problems.push(problem.into()),
                Unknown::Warn | Unknown::Allow => self.warnings.push(problem),
            }
        }
    }

    fn unknown(&self, variable: &Variable, name: &str, names: &[String]) -> Problem {
        let (stem, suffix) = name.strip_suffix("_FILE").map_or((name, ""), |stem| (stem, "_FILE"));
        let hint = match suggest::closest(stem, names.iter().map(String::as_str)) {
            Some(meant) => format!(": did you mean {meant}{suffix}?"),
            None => String::new(),
        };
        let (variable, what) = match (variable.line, self.env.dotenv()) {
            // Its name is not shown: in a file that is not well-formed, it may be a line of a secret.
            (Some(line), Some(path)) => {
                let file = escape(&path.to_string_lossy());
                (format!("{file} line {line}"), "sets a variable that is not one of this service")
            }
            _ => (escape_os(&variable.name), "is not a variable of this service"),
        };
        Problem { variable, reason: format!("{what}{hint}"), expected: String::new() }
    }

    /// Decides about quotes: none that contains the text of a secret, or most of one.
    pub(super) fn into_problems(mut self, spec: &Spec) -> Vec<Problem> {
        // A secret that could not be read, as one that is set twice, is a secret all the same.
        spec.visit(|visited| {
            let field = visited.field;
            if field.form.quotable {
                return;
            }
            let former = field.aliases.iter().map(|alias| (*alias).to_owned());
            for name in std::iter::once(visited.name()).chain(former) {
                if let Some(index) = self.env.find(&name) {
                    let values = self.env.variables()[index].values();
                    self.unquotable
                        .extend(values.map(|value| value.to_string_lossy().into_owned()));
                }
                if let Some(index) = self.env.find(&format!("{name}_FILE")) {
                    for path in self.env.variables()[index].values() {
                        self.unquotable.push(path.to_string_lossy().into_owned());
                        self.unquotable.extend(file::read_lossy(Path::new(path)));
                    }
                }
            }
        });
        let Reader { problems, unquotable, .. } = self;
        problems.into_iter().map(|finding| finding.decide(&unquotable)).collect()
    }
}
