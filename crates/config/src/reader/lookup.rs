//! Finding the variable that a field is set by.

use super::Reader;
use crate::{
    env::Variable,
    problem::Problem,
    spec::{Empty, Field, Item},
};

/// A variable that was found, by its place in the environment.
#[derive(Clone, Copy)]
pub(super) struct Found {
    index: usize,
    /// It names a file with the value.
    pub(super) is_file: bool,
}

/// The problem is kept already.
pub(super) struct Reported;

impl<'a> Reader<'a> {
    pub(super) fn variable(&self, found: Found) -> &'a Variable {
        &self.env.variables()[found.index]
    }

    /// Finds a field by its name, its file or a former name of either.
    pub(super) fn locate_any(&mut self, field: &Field) -> Result<Option<Found>, Reported> {
        let mut found = self.locate(field.name, field.whole, field);
        for alias in field.aliases {
            let former = self.locate(alias, true, field);
            found = match (found, former) {
                (found, Ok(None)) => found,
                (Ok(own), Ok(Some(former))) => self.prefer(own, former, alias, field),
                (Err(Reported), _) | (_, Err(Reported)) => Err(Reported),
            };
        }
        found
    }

    /// Whether any variable of a group is set, by its own, its file's or a former name.
    pub(super) fn any_is_set(&mut self, items: &[Item]) -> bool {
        items.iter().any(|item| match item {
            Item::Field(field) => {
                let former = field.aliases.iter().map(|alias| (*alias, true));
                std::iter::once((field.name, field.whole)).chain(former).any(|(name, whole)| {
                    let value = self.find(name, whole, "");
                    let is_set = |index: usize| {
                        field.empty != Empty::Unset || !self.env.variables()[index].value.is_empty()
                    };
                    value.is_some_and(is_set)
                        || (field.file && self.find(name, whole, "_FILE").is_some())
                })
            }
            Item::Nested(nested) => {
                self.below(nested.prefix, |reader| reader.any_is_set(nested.items))
            }
        })
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
        }
        for index in [value, file].into_iter().flatten() {
            let variable = &self.env.variables()[index];
            // Which of several values a program sees depends on how it looks.
            if variable.is_ambiguous() {
                let reason = "is in the environment more than once, with different values";
                self.report(&variable.name.to_string_lossy(), reason, String::new());
                return Err(Reported);
            }
        }
        let value = value.map(|index| Found { index, is_file: false });
        let file = file.map(|index| Found { index, is_file: true });
        let (Some(value), Some(file)) = (value, file) else { return Ok(value.or(file)) };
        self.environment_first(value, file).map(Some).ok_or_else(|| {
            let name = self.variable(value).name.to_string_lossy();
            let reason = format!("is set, and so is {name}_FILE: unset one of them");
            self.report(&name, reason, field.expected());
            Reported
        })
    }

    /// What was found, or what a former name has in its place.
    fn prefer(
        &mut self,
        own: Option<Found>,
        former: Found,
        alias: &str,
        field: &Field,
    ) -> Result<Option<Found>, Reported> {
        let name = field.name_after(&self.prefix);
        let chosen = match own {
            None => former,
            Some(own) => match self.environment_first(own, former) {
                Some(chosen) => chosen,
                None if self.variable(own).value == self.variable(former).value => own,
                None => {
                    let reason = format!(
                        "is set, and so is its former name {alias} to something else: unset {alias}"
                    );
                    self.report(&name, reason, field.expected());
                    return Err(Reported);
                }
            },
        };
        let reason = format!("is the former name of {name}: set {name} in its place");
        self.warnings.push(Problem { variable: alias.to_owned(), reason, expected: String::new() });
        Ok(Some(chosen))
    }

    /// Of two variables, the one that is from the environment, if the other is from the `.env` file.
    fn environment_first(&self, a: Found, b: Found) -> Option<Found> {
        match (self.variable(a).line, self.variable(b).line) {
            (None, Some(_)) => Some(a),
            (Some(_), None) => Some(b),
            _ => None,
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
}
