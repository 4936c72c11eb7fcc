//! One field of a `#[derive(Config)]` struct.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{
    Error, GenericArgument, Ident, LitChar, LitStr, Path, PathArguments, Result, Token, Type,
    ext::IdentExt as _, meta::ParseNestedMeta, parse::ParseStream, spanned::Spanned as _,
};

use crate::attributes;

const KEYS: [&str; 14] = [
    "default",
    "var",
    "alias",
    "range",
    "schemes",
    "unit",
    "separator",
    "empty",
    "example",
    "from_str",
    "expects",
    "check",
    "nested",
    "prefix",
];

pub(crate) struct Field {
    index: usize,
    pub(crate) ident: Ident,
    /// The type inside `Option`, where the field is one.
    ty: Type,
    optional: bool,
    doc: String,
    attributes: Attributes,
}

#[derive(Default)]
struct Attributes {
    nested: Option<Span>,
    prefix: Option<LitStr>,
    var: Option<LitStr>,
    alias: Vec<LitStr>,
    default: Option<LitStr>,
    range: Option<(String, String, Span)>,
    schemes: Vec<LitStr>,
    unit: Option<LitStr>,
    separator: Option<LitChar>,
    empty: Option<LitStr>,
    example: Option<LitStr>,
    from_str: Option<Span>,
    expects: Option<LitStr>,
    check: Option<Path>,
}

impl Field {
    pub(crate) fn parse(index: usize, field: &syn::Field, empty: Option<&LitStr>) -> Result<Field> {
        let ident = field
            .ident
            .clone()
            .ok_or_else(|| Error::new_spanned(field, "the field must have a name"))?;
        let mut attributes = Attributes { empty: empty.cloned(), ..Attributes::default() };
        attributes::for_each_key(&field.attrs, |meta, key| attributes.set(meta, key))?;
        let inner = argument_of(&field.ty, "Option");
        let field = Field {
            index,
            optional: inner.is_some(),
            ty: inner.unwrap_or(&field.ty).clone(),
            doc: attributes::doc(&field.attrs),
            attributes,
            ident,
        };
        field.check()?;
        Ok(field)
    }

    fn check(&self) -> Result<()> {
        let Attributes { nested, default, from_str, expects, check, range, .. } = &self.attributes;
        let fail =
            |span: Span, why: &str| Err(Error::new(span, format!("field `{}` {why}", self.ident)));
        if let (Some(default), true) = (default, self.optional) {
            return fail(
                default.span(),
                "would never be None with a default: remove the default, or the Option",
            );
        }
        if let (Some(span), None) = (from_str, expects) {
            return fail(
                *span,
                "must say what it expects, since `FromStr` does not: add expects = \"a time zone such as Europe/Paris\"",
            );
        }
        if let Some(span) = nested {
            return match self.attributes.first_of_a_variable() {
                Some(key) => fail(
                    *span,
                    &format!(
                        "is nested, so `{key}` does not apply to it: move it to a field of the nested struct"
                    ),
                ),
                None => Ok(()),
            };
        }
        if let Some(prefix) = &self.attributes.prefix {
            return fail(
                prefix.span(),
                "has a prefix but is one variable: add `nested`, or name the variable with `var`",
            );
        }
        if let (Some(check), true) = (check, from_str.is_some() && range.is_some()) {
            return fail(
                check.span(),
                "has `from_str`, which knows no `range`: check it in the function",
            );
        }
        if let (Some((_, _, span)), Some(_)) = (range, from_str) {
            return fail(
                *span,
                "has `from_str`, which knows no `range`: use `check = path_of_a_function`",
            );
        }
        Ok(())
    }

    /// The names that the field is set by, after the struct's prefix where they are not whole.
    pub(crate) fn names(&self) -> Vec<LitStr> {
        if self.attributes.nested.is_some() {
            return Vec::new();
        }
        std::iter::once(self.name()).chain(self.attributes.alias.iter().cloned()).collect()
    }

    fn name(&self) -> LitStr {
        self.attributes
            .var
            .clone()
            .unwrap_or_else(|| LitStr::new(&self.upper_name(), self.ident.span()))
    }

    fn upper_name(&self) -> String {
        self.ident.unraw().to_string().to_uppercase()
    }

    /// The name of the constant that describes the field.
    pub(crate) fn constant(&self) -> Ident {
        format_ident!("FIELD_{}", self.index)
    }

    /// The name of the local variable for its value, which cannot be that of another variable.
    pub(crate) fn local(&self) -> Ident {
        format_ident!("field_{}", self.index)
    }

    /// Both the type of the constant and the variant of `Item` around it.
    pub(crate) fn item_type(&self) -> Ident {
        Ident::new(
            if self.attributes.nested.is_some() { "Nested" } else { "Field" },
            Span::call_site(),
        )
    }

    /// The value of the constant.
    pub(crate) fn item(&self, krate: &Path, file_is_a_field: bool) -> TokenStream {
        let ty = &self.ty;
        let attributes = &self.attributes;
        if attributes.nested.is_some() {
            let default_prefix =
                || LitStr::new(&format!("{}_", self.upper_name()), self.ident.span());
            let prefix = attributes.prefix.clone().unwrap_or_else(default_prefix);
            let optional = self.optional.then(|| quote!(.optional()));
            return quote_spanned!(ty.span()=> <#ty as #krate::Config>::SPEC.nested(#prefix) #optional);
        }
        let name = self.name();
        let form = if attributes.from_str.is_some() {
            // Never quoted: what the text is meant to be, only the type knows.
            quote!(#krate::Form::text("").unquoted())
        } else {
            quote_spanned!(ty.span()=> <#ty as #krate::Value>::FORM)
        };
        let new = match (&attributes.default, self.optional) {
            (Some(default), _) => quote!(with_default(#name, #form, #default)),
            (None, true) => quote!(optional(#name, #form)),
            (None, false) => quote!(required(#name, #form)),
        };
        let doc = &self.doc;
        let whole = attributes.var.iter().map(|_| quote!(.whole()));
        let without_file = file_is_a_field.then(|| quote!(.without_file()));
        let expects = attributes.expects.iter();
        let range = attributes.range.iter().map(|(low, high, _)| quote!(.range(#low, #high)));
        let schemes = (!attributes.schemes.is_empty())
            .then_some(&attributes.schemes)
            .into_iter()
            .map(|schemes| quote!(.schemes(&[#(#schemes),*])));
        let unit = attributes.unit.iter();
        let separator = attributes.separator.iter();
        let aliases = (!attributes.alias.is_empty())
            .then_some(&attributes.alias)
            .into_iter()
            .map(|alias| quote!(.aliases(&[#(#alias),*])));
        let example = attributes.example.iter();
        let empty = attributes.empty.iter().map(|empty| {
            let variant = match empty.value().as_str() {
                "unset" => quote!(Unset),
                "allow" => quote!(Allow),
                _ => quote!(Deny),
            };
            quote!(.empty(#krate::Empty::#variant))
        });
        quote! {
            #krate::Field::#new.doc(#doc)
                #(#whole)* #without_file #(.expects(#expects))* #(#range)* #(#schemes)* #(.unit(#unit))* #(.separator(#separator))*
                #(#aliases)* #(.example(#example))* #(#empty)*
        }
    }

    /// The expression that reads the field.
    pub(crate) fn read(&self, krate: &Path) -> TokenStream {
        let ty = &self.ty;
        let constant = self.constant();
        if self.attributes.nested.is_some() {
            let method = if self.optional { quote!(nested_optional) } else { quote!(nested) };
            return quote_spanned!(ty.span()=> reader.#method::<#ty>(&#constant));
        }
        let parse = if self.attributes.from_str.is_some() {
            quote_spanned!(ty.span()=> #krate::from_str::<#ty>)
        } else {
            quote_spanned!(ty.span()=> <#ty as #krate::Value>::parse)
        };
        let parse = match &self.attributes.check {
            None => parse,
            Some(check) => quote! {
                |text, rules| {
                    let value = #parse(text, rules)?;
                    match #check(&value) {
                        ::core::result::Result::Ok(()) => ::core::result::Result::Ok(value),
                        ::core::result::Result::Err(reason) => ::core::result::Result::Err(#krate::Invalid::new(reason)),
                    }
                }
            },
        };
        let method = if self.optional { quote!(optional) } else { quote!(required) };
        let range =
            self.attributes.range.iter().map(
                |_| quote_spanned!(ty.span()=> #krate::Reader::assert_range::<#ty>(&#constant);),
            );
        quote!({ #(#range)* reader.#method(&#constant, #parse) })
    }

    /// Fails to compile where an attribute does not apply to the type of its field.
    pub(crate) fn assertions(&self, krate: &Path) -> TokenStream {
        let ty = &self.ty;
        let Attributes { schemes, unit, separator, default, from_str, .. } = &self.attributes;
        let mut traits = Vec::new();
        if !schemes.is_empty() {
            traits.push(quote!(Schemed));
        }
        if separator.is_some() {
            traits.push(quote!(Listed));
        }
        let applies = traits.iter().map(|name| {
            quote_spanned! {ty.span()=>
                const _: () = {
                    const fn applies<T: #krate::#name>() {}
                    applies::<#ty>();
                };
            }
        });
        let unit = unit.iter().map(|unit| {
            let message = format!("field `{}`: \"{}\" is none of the units of its type", self.ident, unit.value());
            quote_spanned! {unit.span()=>
                const _: () = assert!(#krate::has_unit(<#ty as #krate::Measured>::UNITS, #unit), #message);
            }
        });
        let default = default.iter().filter(|_| from_str.is_none()).map(|default| {
            let message = format!(
                "field `{}` is a secret, and a default in the code is no secret: set it in `.env` for development",
                self.ident
            );
            quote_spanned! {default.span()=>
                const _: () = assert!(!<#ty as #krate::Value>::FORM.is_secret(), #message);
            }
        });
        quote!(#(#applies)* #(#unit)* #(#default)*)
    }
}

impl Attributes {
    fn set(&mut self, meta: &ParseNestedMeta<'_>, key: &str) -> Result<()> {
        let span = meta.path.span();
        match key {
            "nested" => self.nested = attributes::flag(meta)?.then_some(span),
            "from_str" => self.from_str = attributes::flag(meta)?.then_some(span),
            "prefix" => {
                let text = attributes::text(meta)?;
                attributes::check_prefix(&text)?;
                self.prefix = Some(text);
            }
            "var" => {
                let text = attributes::text(meta)?;
                attributes::check_name(&text, "the variable")?;
                self.var = Some(text);
            }
            "alias" => {
                self.alias = attributes::texts(meta)?;
                self.alias
                    .iter()
                    .try_for_each(|text| attributes::check_name(text, "the variable"))?;
            }
            "default" => {
                let value = meta.value()?;
                self.default = Some(attributes::literal(value).map_err(|error| {
                    Error::new(error.span(), "`default` takes a literal, written as in the environment: \"30s\", 3000, true")
                })?);
            }
            "range" => self.range = Some(range(meta.value()?)?),
            "schemes" => {
                self.schemes = attributes::texts(meta)?;
                self.schemes.iter().try_for_each(attributes::check_scheme)?;
                if self.schemes.is_empty() {
                    return Err(meta.error("`schemes` names none: remove it to allow any"));
                }
            }
            "unit" => self.unit = Some(attributes::text(meta)?),
            "separator" => {
                let form = "`separator` takes a character: ';'";
                self.separator =
                    Some(meta.value()?.parse().map_err(|error| Error::new(error.span(), form))?);
            }
            "empty" => self.empty = Some(attributes::empty(meta)?),
            "example" => self.example = Some(attributes::text(meta)?),
            "expects" => self.expects = Some(attributes::text(meta)?),
            "check" => self.check = Some(attributes::path(meta)?),
            _ => return Err(attributes::unknown_key(&meta.path, key, &KEYS)),
        }
        Ok(())
    }

    /// The first key that says something about one variable.
    fn first_of_a_variable(&self) -> Option<&'static str> {
        let set = [
            ("var", self.var.is_some()),
            ("alias", !self.alias.is_empty()),
            ("default", self.default.is_some()),
            ("range", self.range.is_some()),
            ("schemes", !self.schemes.is_empty()),
            ("unit", self.unit.is_some()),
            ("separator", self.separator.is_some()),
            ("example", self.example.is_some()),
            ("from_str", self.from_str.is_some()),
            ("expects", self.expects.is_some()),
            ("check", self.check.is_some()),
        ];
        set.into_iter().find(|(_, set)| *set).map(|(key, _)| key)
    }
}

/// `1..=9`, `"1s"..="5m"`, `1..`, `..=9`.
fn range(input: ParseStream<'_>) -> Result<(String, String, Span)> {
    const FORM: &str = "`range` takes literals with both ends included: 1024..=65535, \"100ms\"..=\"5m\", 1.. or ..=9";
    let span = input.span();
    let bound = |input: ParseStream<'_>| match attributes::literal(input) {
        Ok(text) => Ok(text.value()),
        Err(error) => Err(Error::new(error.span(), FORM)),
    };
    let low = if input.peek(Token![..]) { String::new() } else { bound(input)? };
    let high = if input.parse::<Option<Token![..=]>>()?.is_some() {
        bound(input)?
    } else {
        input.parse::<Token![..]>().map_err(|error| Error::new(error.span(), FORM))?;
        String::new()
    };
    if !(input.is_empty() || input.peek(Token![,])) || (low.is_empty() && high.is_empty()) {
        return Err(Error::new(span, FORM));
    }
    if let (Ok(low), Ok(high)) = (low.parse::<f64>(), high.parse::<f64>())
        && low > high
    {
        return Err(Error::new(
            span,
            format!("no value is in the range from {low} to {high}: swap them"),
        ));
    }
    Ok((low, high, span))
}

/// The `T` of a type written as `wrapper<T>`, whatever path comes before it.
fn argument_of<'a>(ty: &'a Type, wrapper: &str) -> Option<&'a Type> {
    // What a `macro_rules` macro takes as a type comes in invisible parentheses.
    if let Type::Group(group) = ty {
        return argument_of(&group.elem, wrapper);
    }
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|segment| segment.ident == wrapper)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) if arguments.args.len() == 1 => Some(inner),
        _ => None,
    }
}
