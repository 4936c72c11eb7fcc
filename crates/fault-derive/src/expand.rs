//! The implementation of `Classify`.

use std::collections::HashMap;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{
    Attribute, Data, DeriveInput, Error, Fields, Ident, Member, Result, Type, spanned::Spanned as _,
};

use crate::{
    attributes::{Class, Own, Retry, Subject},
    message::Message,
};

/// A variant, or a struct, and how it is classified.
struct Arm<'a> {
    path: TokenStream,
    fields: &'a Fields,
    class: Class,
}

pub(crate) fn classify(input: &DeriveInput) -> Result<TokenStream> {
    let arms = arms(input)?;
    check_codes(&arms)?;

    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let predicates = where_clause.into_iter().flat_map(|clause| &clause.predicates);
    // A generic type is an error, and its field classified, only for some parameters.
    let bounds = input.generics.type_params().next().map(|_| {
        let inner = arms.iter().filter_map(Arm::inner);
        quote!(Self: ::std::error::Error, #(#inner: ::underpin_fault::Classify,)*)
    });

    let kind = method(&arms, "kind", |own| {
        let kind = &own.kind;
        quote!(::underpin_fault::Kind::#kind)
    });
    let code = method(&arms, "code", |own| {
        let code = &own.code;
        quote!(#code)
    });
    let retry = method(&arms, "retry", Own::retry);
    let status = method(&arms, "status", |own| option(own.status.map(|status| quote!(#status))));
    let message =
        method(&arms, "message", |own| option(own.message.as_ref().map(Message::expression)));
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::underpin_fault::Classify for #name #type_generics
        where
            #(#predicates,)*
            #bounds
        {
            fn kind(&self) -> ::underpin_fault::Kind { #kind }
            fn code(&self) -> &'static str { #code }
            fn retry(&self) -> ::underpin_fault::Retry { #retry }
            fn status(&self) -> ::std::option::Option<u16> { #status }
            fn message(&self) -> ::std::option::Option<::std::borrow::Cow<'static, str>> { #message }
        }
    })
}

/// All variants, or all of their mistakes at once.
fn arms(input: &DeriveInput) -> Result<Vec<Arm<'_>>> {
    let type_name = &input.ident;
    match &input.data {
        Data::Struct(data) => {
            let subject = subject("struct", type_name, snake(type_name), &data.fields);
            Ok(vec![Arm {
                path: quote!(Self),
                fields: &data.fields,
                class: Class::read(&subject, &input.attrs)?,
            }])
        }
        Data::Enum(data) => {
            let mut errors = misplaced(&input.attrs).err();
            let mut arms = Vec::new();
            for variant in &data.variants {
                let (name, fields) = (&variant.ident, &variant.fields);
                let code = format!("{}.{}", snake(type_name), snake(name));
                match Class::read(&subject("variant", name, code, fields), &variant.attrs) {
                    Ok(class) => arms.push(Arm { path: quote!(Self::#name), fields, class }),
                    Err(error) => match &mut errors {
                        Some(errors) => errors.combine(error),
                        None => errors = Some(error),
                    },
                }
            }
            errors.map_or(Ok(arms), Err)
        }
        Data::Union(_) => {
            Err(Error::new_spanned(type_name, "a union is no error, make it an enum"))
        }
    }
}

fn subject<'a>(
    what: &str,
    name: &Ident,
    suggested_code: String,
    fields: &'a Fields,
) -> Subject<'a> {
    Subject { name: format!("{what} `{name}`"), suggested_code, span: name.span(), fields }
}

fn misplaced(attributes: &[Attribute]) -> Result<()> {
    match attributes.iter().find(|attribute| attribute.path().is_ident("fault")) {
        Some(attribute) => Err(Error::new_spanned(
            attribute,
            "each variant is classified on its own, move `#[fault(...)]` to the variants",
        )),
        None => Ok(()),
    }
}

/// A code tells one failure from all others, so no two variants may share one.
fn check_codes(arms: &[Arm<'_>]) -> Result<()> {
    let mut seen = HashMap::new();
    let mut errors: Option<Error> = None;
    for arm in arms {
        let Class::Own(own) = &arm.class else { continue };
        let path = arm.path.to_string().replace("Self :: ", "");
        if let Some(other) = seen.insert(own.code.value(), path.clone()) {
            let text = format!(
                "code {:?} of variant `{path}` is that of `{other}`, too, give each variant a code of its own",
                own.code.value()
            );
            let error = Error::new(own.code.span(), text);
            match &mut errors {
                Some(errors) => errors.combine(error),
                None => errors = Some(error),
            }
        }
    }
    errors.map_or(Ok(()), Err)
}

/// The body of a method: one arm for each variant.
fn method(arms: &[Arm<'_>], name: &str, own: impl Fn(&Own) -> TokenStream) -> TokenStream {
    if arms.is_empty() {
        return quote!(match *self {});
    }
    let name = Ident::new(name, Span::call_site());
    let arms = arms.iter().map(|arm| {
        let path = &arm.path;
        let members: Vec<Member> = arm.fields.members().collect();
        match &arm.class {
            Class::Own(class) => {
                let fields = class.message.as_ref().filter(|_| name == "message");
                let fields = fields.map(|message| message.pattern(&members));
                let expression = own(class);
                quote!(#path { #fields .. } => #expression,)
            }
            Class::Transparent => {
                let member = &members[0];
                // Where the field's type is not classified, the error points at it.
                let at_type = arm
                    .inner()
                    .map_or_else(Span::call_site, |ty| Span::call_site().located_at(ty.span()));
                let call = quote_spanned!(at_type=> ::underpin_fault::Classify::#name(inner));
                quote!(#path { #member: inner } => #call,)
            }
        }
    });
    quote!(match self { #(#arms)* })
}

fn option(value: Option<TokenStream>) -> TokenStream {
    value.map_or_else(
        || quote!(::std::option::Option::None),
        |value| quote!(::std::option::Option::Some(#value)),
    )
}

/// `OrderError` to `order`, `NoSuchOrder` to `no_such_order`: the form of a suggested code.
fn snake(name: &Ident) -> String {
    let name = name.to_string();
    let name = name.strip_suffix("Error").filter(|stem| !stem.is_empty()).unwrap_or(&name);
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

impl Arm<'_> {
    /// The type of a transparent field.
    fn inner(&self) -> Option<&Type> {
        match self.class {
            Class::Transparent => self.fields.iter().next().map(|field| &field.ty),
            Class::Own(_) => None,
        }
    }
}

impl Own {
    fn retry(&self) -> TokenStream {
        match &self.retry {
            None => {
                let kind = &self.kind;
                quote!(::underpin_fault::Kind::#kind.retry())
            }
            Some(Retry::Never) => quote!(::underpin_fault::Retry::Never),
            Some(Retry::Backoff) => quote!(::underpin_fault::Retry::Backoff),
            Some(Retry::After(delay)) => {
                let (seconds, nanos) = (delay.as_secs(), delay.subsec_nanos());
                quote!(::underpin_fault::Retry::After(::std::time::Duration::new(#seconds, #nanos)))
            }
        }
    }
}
