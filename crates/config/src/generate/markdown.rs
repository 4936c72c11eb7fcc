//! A table of all variables for a README.

use std::fmt::Write as _;

use crate::spec::{Presence, Spec};

impl Spec {
    /// A Markdown table of all variables: name, form, default, description.
    pub fn markdown(&self) -> String {
        let mut out =
            String::from("| Variable | Value | Default | Description |\n|---|---|---|---|\n");
        self.visit(|visited| {
            let field = visited.field;
            let default = match field.presence {
                Presence::Default("") => "empty".to_owned(),
                Presence::Default(default) => code(&cell(default)),
                Presence::Optional => "none".to_owned(),
                Presence::Required if visited.group.is_some() => {
                    "required if its group is set".to_owned()
                }
                Presence::Required => "**required**".to_owned(),
            };
            let secret = if field.form.secret { " (secret)" } else { "" };
            let name = visited.name();
            let _ = writeln!(
                out,
                "| `{name}` | {}{secret} | {default} | {} |",
                cell(&field.expected()),
                cell(field.doc)
            );
        });
        out
    }
}

/// A cell ends at a pipe and a row at a line break, whatever stands in it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// A code span, whatever stands in it.
fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}
