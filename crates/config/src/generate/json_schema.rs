//! JSON Schema of an environment.

use std::collections::BTreeMap;

use crate::{
    json,
    spec::{Empty, Field, Presence, Spec, Unknown, Visited},
    value::{Range, Shape},
};

impl Spec {
    /// A JSON Schema (draft 2020-12) of an object whose keys are the variables: for checking a Helm values file or a compose file in an
    /// editor or a pipeline.
    ///
    /// Values are strings, as in an environment; numbers and booleans may also stand without quotes, and then ranges are checked too. What it
    /// accepts may still fail to load, for JSON Schema cannot express every form; what it rejects would.
    pub fn json_schema(&self) -> String {
        let mut properties = Vec::new();
        let mut conditions = Vec::new();
        let mut groups: BTreeMap<usize, Group> = BTreeMap::new();
        let mut patterns = Vec::new();
        self.visit(|visited| {
            let names = all_names(visited);
            properties.extend(visited_properties(visited));
            patterns.extend(names.iter().cloned());
            let required = (visited.field.presence == Presence::Required).then(|| any_of(&names));
            match visited.group {
                None => conditions.extend(required),
                Some(group) => {
                    let group = groups.entry(group).or_default();
                    group.names.extend(names);
                    group.required.extend(required);
                }
            }
        });
        for group in groups.into_values().filter(|group| !group.required.is_empty()) {
            let if_any = any_of(&group.names);
            conditions.push(object([
                ("if", if_any),
                ("then", object([("allOf", array(group.required))])),
            ]));
        }
        let mut members = vec![
            ("$schema", string("https://json-schema.org/draft/2020-12/schema")),
            ("title", string(self.name)),
            ("description", string(self.doc)),
            ("type", string("object")),
            ("properties", object(properties)),
        ];
        if !conditions.is_empty() {
            members.push(("allOf", array(conditions)));
        }
        if !self.prefix.is_empty() && self.unknown == Unknown::Deny {
            let known = object([("enum", array(patterns.iter().map(|name| string(name))))]);
            let foreign =
                object([("not", object([("pattern", string(&format!("^{}", self.prefix)))]))]);
            members.push(("propertyNames", object([("anyOf", array([known, foreign]))])));
        }
        object(members) + "\n"
    }
}

#[derive(Default)]
struct Group {
    names: Vec<String>,
    required: Vec<String>,
}

/// Every name that a field can be set by.
fn all_names(visited: Visited<'_>) -> Vec<String> {
    let own = visited.name();
    let former = visited.field.aliases.iter().map(|alias| (*alias).to_owned());
    std::iter::once(own)
        .chain(former)
        .flat_map(|name| {
            let file = visited.field.file.then(|| format!("{name}_FILE"));
            std::iter::once(name).chain(file)
        })
        .collect()
}

fn visited_properties(visited: Visited<'_>) -> Vec<(String, String)> {
    let field = visited.field;
    let name = visited.name();
    let mut properties = vec![(name.clone(), property(field))];
    for alias in field.aliases {
        let deprecated = object([
            ("deprecated", "true".to_owned()),
            ("description", string(&format!("the former name of {name}"))),
        ]);
        properties.push(((*alias).to_owned(), deprecated));
    }
    if field.file {
        let description = format!("the path of a file to read {name} from");
        properties.push((
            format!("{name}_FILE"),
            object([("type", string("string")), ("description", string(&description))]),
        ));
    }
    properties
}

fn property(field: &Field) -> String {
    let mut members: Vec<(&str, String)> = Vec::new();
    let expected = field.expected();
    let description =
        if field.doc.is_empty() { expected } else { format!("{} ({expected})", field.doc) };
    members.push(("description", string(&description)));
    let types = |native: &str| array([string("string"), string(native)]);
    match field.form.shape {
        _ if field.form.list || field.empty != Empty::Deny => {
            members.push(("type", types("number")));
        }
        Shape::Integer(_) => {
            members.extend([("type", types("integer")), ("pattern", string("^[+-]?[0-9]+$"))]);
            bounds(&mut members, field);
        }
        Shape::Number => {
            members.push(("type", types("number")));
            bounds(&mut members, field);
        }
        Shape::Boolean => {
            let pattern = any_case(&["true", "1", "yes", "on", "false", "0", "no", "off"]);
            members.extend([("type", types("boolean")), ("pattern", string(&pattern))]);
        }
        Shape::Choice(names, aliases) => {
            let all: Vec<&str> = names.iter().chain(aliases).copied().collect();
            members.extend([("type", string("string")), ("pattern", string(&any_case(&all)))]);
            members.push(("examples", array(names.iter().map(|name| string(name)))));
        }
        Shape::Pattern(pattern) => {
            // Where a number needs no unit, YAML may have taken it for one.
            let kind = if field.rules.unit.is_some() { types("number") } else { string("string") };
            members.extend([("type", kind), ("pattern", string(pattern))]);
        }
        Shape::Text => members.push(("type", types("number"))),
    }
    if field.empty == Empty::Deny {
        members.push(("minLength", "1".to_owned()));
    }
    if let Presence::Default(default) = field.presence {
        members.push(("default", string(default)));
    }
    if field.form.secret {
        members.push(("writeOnly", "true".to_owned()));
    }
    object(members)
}

/// JSON Schema's bounds are numbers; those of other types are not.
fn bounds(members: &mut Vec<(&str, String)>, field: &Field) {
    let Range { low, high } = field.bounds();
    for (keyword, bound) in [("minimum", low), ("maximum", high)] {
        if bound.parse::<f64>().is_ok_and(f64::is_finite) {
            members.push((keyword, bound.to_owned()));
        }
    }
}

/// A pattern for one of `names` in any case: ECMA-262 has no flag for that inside a pattern.
fn any_case(names: &[&str]) -> String {
    let mut pattern = String::from("^(");
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            pattern.push('|');
        }
        for c in name.chars() {
            if c.is_ascii_alphabetic() {
                pattern.extend(['[', c.to_ascii_uppercase(), c.to_ascii_lowercase(), ']']);
            } else {
                // Only what has a meaning may be escaped in a pattern of Unicode.
                if "^$\\.*+?()[]{}|/".contains(c) {
                    pattern.push('\\');
                }
                pattern.push(c);
            }
        }
    }
    pattern + ")$"
}

/// Satisfied by an object with at least one of `names`.
fn any_of(names: &[String]) -> String {
    let required = |name: &String| object([("required", array([string(name)]))]);
    match names {
        [only] => required(only),
        names => object([("anyOf", array(names.iter().map(required)))]),
    }
}

fn string(text: &str) -> String {
    let mut out = String::new();
    json::string(&mut out, text);
    out
}

fn array(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    // Names and bounds stay on one line; objects get a line each.
    if items.iter().any(|item| item.contains('\n')) {
        block('[', &items, ']')
    } else {
        format!("[{}]", items.join(", "))
    }
}

fn object<K: AsRef<str>>(members: impl IntoIterator<Item = (K, String)>) -> String {
    let members: Vec<String> = members
        .into_iter()
        .map(|(key, value)| format!("{}: {value}", string(key.as_ref())))
        .collect();
    block('{', &members, '}')
}

fn block(open: char, items: &[String], close: char) -> String {
    if items.is_empty() {
        return format!("{open}{close}");
    }
    format!("{open}\n  {}\n{close}", items.join(",\n").replace('\n', "\n  "))
}
