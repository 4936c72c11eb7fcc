//! What all `#[config(...)]` attributes share.

use syn::{
    Attribute, Error, Expr, ExprLit, Lit, LitStr, Meta, Path, Result, Token, bracketed,
    meta::ParseNestedMeta, parse::ParseStream, punctuated::Punctuated, spanned::Spanned as _,
    token,
};

/// Keeps every mistake, so that one build shows them all.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    pub(crate) fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn keep<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    pub(crate) fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// Calls `set` with every key in every `#[config(...)]` of `attributes`.
pub(crate) fn for_each_key(
    attributes: &[Attribute],
    mut set: impl FnMut(&ParseNestedMeta<'_>, &str) -> Result<()>,
) -> Result<()> {
    let mut seen: Vec<String> = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("config")) {
        attribute.parse_nested_meta(|meta| {
            let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            if seen.contains(&key) {
                let fix = if key == "alias" {
                    "give all names at once: alias = [\"A\", \"B\"]"
                } else {
                    "remove one"
                };
                return Err(Error::new(meta.path.span(), format!("`{key}` is given twice: {fix}")));
            }
            set(&meta, &key)?;
            seen.push(key);
            Ok(())
        })?;
    }
    Ok(())
}

/// The error for a key that does not exist where it stands.
pub(crate) fn unknown_key(path: &Path, key: &str, known: &[&str]) -> Error {
    let meant = known.iter().find(|known| is_slip(key, known));
    let hint = match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!(
            "use one of {}",
            known.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ")
        ),
    };
    Error::new(path.span(), format!("`{key}` is not an attribute of `#[config]` here: {hint}"))
}

/// Whether `typed` is `meant` with at most two letters wrong.
fn is_slip(typed: &str, meant: &str) -> bool {
    let common_start = typed.bytes().zip(meant.bytes()).take_while(|(a, b)| a == b).count();
    let rest = typed.len().max(meant.len()) - common_start;
    let common_end =
        typed.bytes().rev().zip(meant.bytes().rev()).take(rest).take_while(|(a, b)| a == b).count();
    typed.len() > 2 && typed.len().max(meant.len()) - common_start - common_end <= 2
}

/// The string in `key = "text"`.
pub(crate) fn text(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    let form = format!("`{}` takes a text in double quotes", name(&meta.path));
    meta.value()?.parse().map_err(|error| Error::new(error.span(), form))
}

/// The text of a literal of any kind: `"30s"`, `3000`, `-1`, `0.5`, `true`, `'x'`.
pub(crate) fn literal(input: ParseStream<'_>) -> Result<LitStr> {
    let minus: Option<Token![-]> = input.parse()?;
    let literal: Lit = input.parse()?;
    let text = match &literal {
        Lit::Str(text) => text.value(),
        Lit::Int(number) => number.base10_digits().to_owned(),
        Lit::Float(number) => number.base10_digits().to_owned(),
        Lit::Bool(value) => value.value.to_string(),
        Lit::Char(c) => c.value().to_string(),
        other => {
            return Err(Error::new(
                other.span(),
                "expected a text, a number, a character, true or false",
            ));
        }
    };
    Ok(LitStr::new(&format!("{}{text}", if minus.is_some() { "-" } else { "" }), literal.span()))
}

/// One text or several: `key = "a"`, `key = ["a", "b"]`.
pub(crate) fn texts(meta: &ParseNestedMeta<'_>) -> Result<Vec<LitStr>> {
    let value = meta.value()?;
    let form = format!("`{0}` takes a text, or several: {0} = [\"a\", \"b\"]", name(&meta.path));
    let explain = |error: Error| Error::new(error.span(), &form);
    if !value.peek(token::Bracket) {
        return Ok(vec![value.parse().map_err(explain)?]);
    }
    let items;
    bracketed!(items in value);
    let items = Punctuated::<LitStr, Token![,]>::parse_terminated(&items).map_err(explain)?;
    Ok(items.into_iter().collect())
}

/// A key that stands alone, as in `#[config(nested)]`.
pub(crate) fn flag(meta: &ParseNestedMeta<'_>) -> Result<bool> {
    if meta.input.peek(Token![=]) {
        return Err(meta.error(format!("`{}` takes no value", name(&meta.path))));
    }
    Ok(true)
}

/// The path of a function or crate in `key = a::b`.
pub(crate) fn path(meta: &ParseNestedMeta<'_>) -> Result<Path> {
    meta.value()?.parse()
}

/// The documentation comment above an item, its lines trimmed.
pub(crate) fn doc(attributes: &[Attribute]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let Meta::NameValue(meta) = &attribute.meta
            && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &meta.value
        {
            lines.extend(text.value().lines().map(|line| line.trim().to_owned()));
        }
    }
    lines.join("\n").trim().to_owned()
}

/// Checks that a text can be the name of a variable, or the start of one.
pub(crate) fn check_name(text: &LitStr, what: &str) -> Result<()> {
    let name = text.value();
    let valid = (!name.is_empty() || what == "the prefix")
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if valid {
        return Ok(());
    }
    Err(Error::new(
        text.span(),
        format!(
            "{what} `{name}` must consist of letters, digits and underscores, and begin with no digit"
        ),
    ))
}

pub(crate) fn check_prefix(text: &LitStr) -> Result<()> {
    check_name(text, "the prefix")?;
    let prefix = text.value();
    if prefix.is_empty() || prefix.ends_with('_') {
        return Ok(());
    }
    Err(Error::new(
        text.span(),
        format!("the prefix `{prefix}` must end with an underscore: write \"{prefix}_\""),
    ))
}

fn name(path: &Path) -> String {
    path.get_ident().map(ToString::to_string).unwrap_or_default()
}

/// Checks that a text can be a URL's scheme.
pub(crate) fn check_scheme(text: &LitStr) -> Result<()> {
    let scheme = text.value();
    if scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte))
    {
        return Ok(());
    }
    Err(Error::new(
        text.span(),
        format!("`{scheme}` is not a scheme: write what comes before `://`, as in \"https\""),
    ))
}

/// What an empty text means.
pub(crate) fn empty(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    let text = text(meta)?;
    if ["deny", "unset", "allow"].contains(&text.value().as_str()) {
        return Ok(text);
    }
    Err(Error::new(text.span(), "`empty` is \"deny\", \"unset\" or \"allow\""))
}
