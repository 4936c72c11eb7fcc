//! What a configuration consists of, as constants that the derive writes.

use std::fmt::Write as _;

use crate::value::{Form, Range, Rules, Shape};

/// The variables of a configuration: what reports and generated documents are made from.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) prefix: &'static str,
    pub(crate) profile: Option<&'static str>,
    pub(crate) unknown: Unknown,
    pub(crate) items: &'static [Item],
}

/// What happens when a variable has the configuration's prefix and belongs to no field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// It is a problem, so the service does not start. The default.
    Deny,
    /// It is a warning.
    Warn,
    /// Nothing.
    Allow,
}

/// One or several variables of a [`Spec`].
#[derive(Debug, Clone, Copy)]
pub enum Item {
    /// One variable.
    Field(&'static Field),
    /// Several with a common prefix.
    Nested(&'static Nested),
}

/// One variable.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Without the prefix, unless `whole`.
    pub(crate) name: &'static str,
    pub(crate) whole: bool,
    pub(crate) doc: &'static str,
    pub(crate) form: Form,
    expects: Option<&'static str>,
    pub(crate) presence: Presence,
    pub(crate) rules: Rules,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) example: Option<&'static str>,
    pub(crate) empty: Empty,
    /// Whether `NAME_FILE` may name a file to read the value from.
    pub(crate) file: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Required,
    Optional,
    Default(&'static str),
}

/// What an empty text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// A problem. The default: an empty variable is most often a template that was not filled in.
    Deny,
    /// The variable counts as not set.
    Unset,
    /// The empty text is the value.
    Allow,
}

/// Variables with a common prefix, which make a struct of their own.
#[derive(Debug, Clone, Copy)]
pub struct Nested {
    pub(crate) prefix: &'static str,
    pub(crate) items: &'static [Item],
    pub(crate) optional: bool,
}

impl Spec {
    /// The variables in `items`, without a prefix; `name` is the type's, for titles.
    pub const fn new(name: &'static str, items: &'static [Item]) -> Spec {
        Spec { name, doc: "", prefix: "", profile: None, unknown: Unknown::Deny, items }
    }

    /// What the configuration is for.
    #[must_use]
    pub const fn doc(self, doc: &'static str) -> Spec {
        Spec { doc, ..self }
    }

    /// What every name begins with. It counts where the configuration is loaded, not where it is nested in another.
    #[must_use]
    pub const fn prefix(self, prefix: &'static str) -> Spec {
        Spec { prefix, ..self }
    }

    /// The variable, by its whole name, that says whether this is development: where it is unset or `development`, an
    /// [`Env`](crate::Env) with a `.env` file reads that file.
    #[must_use]
    pub const fn profile(self, variable: &'static str) -> Spec {
        Spec { profile: Some(variable), ..self }
    }

    /// What happens to variables that have the prefix and belong to no field.
    #[must_use]
    pub const fn unknown(self, unknown: Unknown) -> Spec {
        Spec { unknown, ..self }
    }

    /// The same items as a part of another configuration, their names after `prefix`.
    pub const fn nested(&self, prefix: &'static str) -> Nested {
        Nested { prefix, items: self.items, optional: false }
    }

    /// Calls `visit` with every field, the prefix of its group, and whether the group may be absent, in the order of declaration.
    pub(crate) fn visit(&self, mut visit: impl FnMut(Visited<'_>)) {
        let mut groups = 0;
        walk(self.items, &mut self.prefix.to_owned(), None, &mut groups, &mut visit);
    }

    /// # Panics
    ///
    /// If two fields read the same variable, by whatever name.
    pub(crate) fn assert_names_are_unique(&self) {
        let mut names = self.names();
        self.visit(|visited| {
            if visited.field.file {
                names.push(visited.name() + "_FILE");
            }
        });
        names.sort();
        for pair in names.windows(2) {
            assert_ne!(
                pair[0], pair[1],
                "two fields of `{}` read the same variable: rename one",
                self.name
            );
        }
    }

    /// The whole names of all fields.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.visit(|visited| names.push(visited.name()));
        names
    }
}

/// A field in its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visited<'a> {
    pub(crate) field: &'static Field,
    pub(crate) prefix: &'a str,
    /// The number of the innermost optional group around the field.
    pub(crate) group: Option<usize>,
}

impl Visited<'_> {
    pub(crate) fn name(&self) -> String {
        self.field.name_after(self.prefix)
    }
}

fn walk(
    items: &'static [Item],
    prefix: &mut String,
    group: Option<usize>,
    groups: &mut usize,
    visit: &mut dyn FnMut(Visited<'_>),
) {
    for item in items {
        match item {
            Item::Field(field) => visit(Visited { field, prefix, group }),
            Item::Nested(nested) => {
                let group = if nested.optional {
                    *groups += 1;
                    Some(*groups)
                } else {
                    group
                };
                let outer = prefix.len();
                prefix.push_str(nested.prefix);
                walk(nested.items, prefix, group, groups, visit);
                prefix.truncate(outer);
            }
        }
    }
}

impl Nested {
    /// The group may be absent: none of its variables set is `None`, one of them set asks for all that are required.
    #[must_use]
    pub const fn optional(self) -> Nested {
        Nested { optional: true, ..self }
    }
}

impl Field {
    const fn new(name: &'static str, form: Form, presence: Presence) -> Field {
        Field {
            name,
            whole: false,
            doc: "",
            form,
            expects: None,
            presence,
            rules: Rules::NONE,
            aliases: &[],
            example: None,
            empty: Empty::Deny,
            file: true,
        }
    }

    /// A variable that must be set; `name` comes after the prefix.
    pub const fn required(name: &'static str, form: Form) -> Field {
        Field::new(name, form, Presence::Required)
    }

    /// A variable that may be absent.
    pub const fn optional(name: &'static str, form: Form) -> Field {
        Field::new(name, form, Presence::Optional)
    }

    /// A variable that has the text `default` where it is absent.
    ///
    /// An empty default makes an empty text a value too.
    pub const fn with_default(name: &'static str, form: Form, default: &'static str) -> Field {
        let field = Field::new(name, form, Presence::Default(default));
        if default.is_empty() { field.empty(Empty::Allow) } else { field }
    }

    /// The name is whole: no prefix comes before it.
    #[must_use]
    pub const fn whole(self) -> Field {
        Field { whole: true, ..self }
    }

    /// What the variable is for.
    #[must_use]
    pub const fn doc(self, doc: &'static str) -> Field {
        Field { doc, ..self }
    }

    /// Completes "expected …" in place of what the type says.
    #[must_use]
    pub const fn expects(self, expects: &'static str) -> Field {
        Field { expects: Some(expects), ..self }
    }

    /// The smallest and the largest value, in the type's own notation; an empty bound is open.
    #[must_use]
    pub const fn range(self, low: &'static str, high: &'static str) -> Field {
        Field { rules: Rules { range: Some(Range { low, high }), ..self.rules }, ..self }
    }

    /// The schemes that a URL may have.
    #[must_use]
    pub const fn schemes(self, schemes: &'static [&'static str]) -> Field {
        Field { rules: Rules { schemes, ..self.rules }, ..self }
    }

    /// The unit of a number written without one.
    #[must_use]
    pub const fn unit(self, unit: &'static str) -> Field {
        Field { rules: Rules { unit: Some(unit), ..self.rules }, ..self }
    }

    /// What separates the items of a list, in place of a comma.
    #[must_use]
    pub const fn separator(self, separator: char) -> Field {
        Field { rules: Rules { separator, ..self.rules }, ..self }
    }

    /// Former names, whole: read where the name itself is absent, with a warning.
    #[must_use]
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Field {
        Field { aliases, ..self }
    }

    /// A text for the generated `.env.example`.
    #[must_use]
    pub const fn example(self, example: &'static str) -> Field {
        Field { example: Some(example), ..self }
    }

    /// What an empty text means.
    #[must_use]
    pub const fn empty(self, empty: Empty) -> Field {
        Field { empty, ..self }
    }

    /// `NAME_FILE` is not read: another field has that name.
    #[must_use]
    pub const fn without_file(self) -> Field {
        Field { file: false, ..self }
    }

    pub(crate) fn name_after(&self, prefix: &str) -> String {
        if self.whole { self.name.to_owned() } else { [prefix, self.name].concat() }
    }

    /// Completes "expected …".
    pub(crate) fn expected(&self) -> String {
        let mut text = match (self.expects, self.form.shape, self.rules.schemes) {
            (Some(expects), ..) => expects.to_owned(),
            (None, Shape::Choice(names, _), _) => format!("one of {}", names.join(", ")),
            (None, _, [_, ..]) => format!("a URL with the scheme {}", one_of(self.rules.schemes)),
            _ => self.form.expects.to_owned(),
        };
        if self.form.list {
            let separator = match self.rules.separator {
                ',' => "commas".to_owned(),
                other => format!("{other:?}"),
            };
            text = format!("a list separated by {separator}, each {text}");
        }
        if let Some(unit) = self.rules.unit {
            let _ = write!(text, ", or a number in {unit}");
        }
        let is_number = matches!(self.form.shape, Shape::Integer(_) | Shape::Number);
        let comma = if is_number { "" } else { "," };
        match self.bounds() {
            Range { low: "", high: "" } => {}
            Range { low, high: "" } => _ = write!(text, "{comma} from {low}"),
            Range { low: "", high } => _ = write!(text, "{comma} up to {high}"),
            Range { low, high } => _ = write!(text, "{comma} from {low} to {high}"),
        }
        text
    }

    /// The bounds of the field, or where it leaves one open, of its type.
    pub(crate) fn bounds(&self) -> Range {
        let own = self.rules.range.unwrap_or(Range::OPEN);
        let Shape::Integer(of_type) = self.form.shape else { return own };
        let tighter = |own: &'static str, other| if own.is_empty() { other } else { own };
        Range { low: tighter(own.low, of_type.low), high: tighter(own.high, of_type.high) }
    }
}

/// `a`, `a or b`, `a, b or c`.
fn one_of(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
