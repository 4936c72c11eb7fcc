//! Messages that show fields.

use std::{collections::BTreeSet, fmt::Write as _};

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Error, Ident, LitStr, Member, Result};

use crate::{attributes::Subject, suggest::did_you_mean};

/// A message, in which every placeholder names a field by the name that it is bound to in a pattern.
pub(crate) struct Message {
    format: LitStr,
    fields: BTreeSet<usize>,
}

impl Message {
    /// Rewrites `{field:spec}` to `{field_N:spec}`, N being the field's place. All else is left to `format!`.
    pub(crate) fn parse(literal: &LitStr, subject: &Subject<'_>) -> Result<Message> {
        let text = literal.value();
        let mut format = String::with_capacity(text.len());
        let mut fields = BTreeSet::new();
        let mut rest = &*text;
        while let Some(at) = rest.find(['{', '}']) {
            let (plain, tail) = rest.split_at(at);
            format.push_str(plain);
            if tail.starts_with("{{") || tail.starts_with("}}") {
                format.push_str(&tail[..2]);
                rest = &tail[2..];
                continue;
            }
            let Some((placeholder, tail)) =
                tail.strip_prefix('{').and_then(|tail| tail.split_once('}'))
            else {
                return Err(Error::new(
                    literal.span(),
                    "unmatched brace, write `{{` or `}}` for one that is shown",
                ));
            };
            let name = placeholder.split(':').next().unwrap_or_default();
            let field = find(name, subject, literal.span())?;
            fields.insert(field);
            // Writing to a string cannot fail.
            let _ = write!(format, "{{{}{}}}", binding(field), &placeholder[name.len()..]);
            rest = tail;
        }
        format.push_str(rest);
        Ok(Message { format: LitStr::new(&format, literal.span()), fields })
    }

    pub(crate) fn span(&self) -> Span {
        self.format.span()
    }

    /// The fields that it shows, as the inside of a pattern.
    pub(crate) fn pattern(&self, members: &[Member]) -> TokenStream {
        let fields = self.fields.iter().map(|&field| {
            let (member, binding) = (&members[field], binding(field));
            quote!(#member: #binding,)
        });
        quote!(#(#fields)*)
    }

    /// A `Cow<'static, str>`.
    pub(crate) fn expression(&self) -> TokenStream {
        let format = &self.format;
        if self.fields.is_empty() {
            let text =
                LitStr::new(&format.value().replace("{{", "{").replace("}}", "}"), format.span());
            return quote!(::std::borrow::Cow::Borrowed(#text));
        }
        let arguments = self.fields.iter().map(|&field| {
            let binding = binding(field);
            quote!(#binding = #binding)
        });
        quote!(::std::borrow::Cow::Owned(::std::format!(#format, #(#arguments),*)))
    }
}

fn binding(field: usize) -> Ident {
    format_ident!("field_{field}")
}

fn find(name: &str, subject: &Subject<'_>, span: Span) -> Result<usize> {
    let names: Vec<String> = subject
        .fields
        .members()
        .map(|member| match member {
            // Raw identifiers are named without their prefix, as `format!` does.
            Member::Named(name) => name.to_string().trim_start_matches("r#").to_owned(),
            Member::Unnamed(index) => index.index.to_string(),
        })
        .collect();
    names.iter().position(|field| field == name).ok_or_else(|| {
        let text = if name.is_empty() {
            format!(
                "a placeholder must name a field of {}, as in `{{id}}` or `{{0}}`",
                subject.name
            )
        } else {
            let hint = did_you_mean(name, names.iter().map(String::as_str));
            format!("{} has no field `{name}`{hint}", subject.name)
        };
        Error::new(span, text)
    })
}
