//! `.env.example`.

use std::fmt::Write as _;

use crate::spec::{Presence, Spec, Visited};

/// Wide enough for a sentence, narrow enough for a terminal.
const WIDTH: usize = 100;

impl Spec {
    /// A `.env` file to start from: every variable with its description and form.
    ///
    /// What must be set stands as `NAME=`, to be filled in; everything else is commented out, so that a copy of the file does not freeze
    /// the defaults of the day it was made. A test can hold a committed file to it.
    pub fn env_example(&self) -> String {
        let mut out = String::new();
        let title = if self.doc.is_empty() { self.name } else { self.doc };
        comment(&mut out, title);
        self.visit(|visited| field(&mut out, visited));
        out
    }
}

fn field(out: &mut String, visited: Visited<'_>) {
    let Visited { field, group, .. } = visited;
    let name = visited.name();
    out.push('\n');
    comment(out, field.doc);
    let mut form = capitalised(&field.expected());
    match (field.presence, group) {
        (Presence::Required, None) => form.push_str(". Required."),
        (Presence::Required, Some(_)) => {
            form.push_str(". Required if any variable of its group is set.");
        }
        (Presence::Optional, _) => form.push_str(". Optional."),
        (Presence::Default(_), _) => form.push('.'),
    }
    if field.form.secret && field.file {
        let _ = write!(form, " Secret; {name}_FILE may name a file to read it from.");
    }
    comment(out, &form);
    let value = match field.presence {
        Presence::Default(default) => default,
        _ => field.example.unwrap_or(""),
    };
    let off = if field.presence == Presence::Required && group.is_none() { "" } else { "# " };
    let _ = writeln!(out, "{off}{name}={}", quoted(value));
}

fn comment(out: &mut String, text: &str) {
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + word.chars().count() + 3 > WIDTH {
                let _ = writeln!(out, "# {line}");
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        let _ = writeln!(out, "{}", format!("# {line}").trim_end());
    }
}

/// On one line, as every reader of `.env` files takes it, and harmless to a shell.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.,:/@%+=[]".contains(c);
    if value.chars().all(plain) {
        return value.to_owned();
    }
    if !value.contains(['\'', '\\']) && !value.contains(char::is_control) {
        return format!("'{value}'");
    }
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\\' | '"' | '`' | '$' => quoted.extend(['\\', c]),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
