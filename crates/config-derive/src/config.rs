//! `#[derive(Config)]`.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Ident, LitStr, Path, Result, parse_quote};

use crate::{
    attributes::{self, Errors},
    field::Field,
};

const KEYS: [&str; 6] = ["prefix", "profile", "unknown", "empty", "check", "crate"];

/// The attributes of the struct itself.
struct Container {
    prefix: Option<LitStr>,
    profile: Option<LitStr>,
    unknown: Option<Path>,
    /// What an empty text means for fields that do not say.
    empty: Option<LitStr>,
    check: Option<Path>,
    krate: Path,
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let name = &input.ident;
    let Data::Struct(data) = &input.data else {
        let fix =
            "derive `Value` for an enum of names; a configuration is a struct with named fields";
        return Err(Error::new_spanned(
            name,
            format!("`Config` cannot be derived for `{name}`: {fix}"),
        ));
    };
    let Fields::Named(fields) = &data.fields else {
        let fix = "name the fields: their names become the names of the variables";
        return Err(Error::new_spanned(
            name,
            format!("`Config` cannot be derived for `{name}`: {fix}"),
        ));
    };
    if !input.generics.params.is_empty() {
        let fix =
            "remove the parameters: the variables of a configuration are known when it is compiled";
        return Err(Error::new_spanned(
            &input.generics,
            format!("`Config` cannot be derived for a generic `{name}`: {fix}"),
        ));
    }
    let container = Container::parse(input)?;
    let mut errors = Errors::default();
    let fields: Vec<Field> = (0..)
        .zip(&fields.named)
        .filter_map(|(index, field)| {
            errors.keep(Field::parse(index, field, container.empty.as_ref()))
        })
        .collect();
    check_names(&fields, &mut errors);
    errors.finish()?;

    let krate = &container.krate;
    let names: Vec<LitStr> = fields.iter().flat_map(Field::names).collect();
    let items = fields
        .iter()
        .map(|field| field.item(krate, names.iter().any(|name| is_file_of(name, field))));
    let constants: Vec<_> = fields.iter().map(Field::constant).collect();
    let types = fields.iter().map(Field::item_type);
    let variants = fields.iter().map(Field::item_type);
    let reads = fields.iter().map(|field| field.read(krate));
    let idents = fields.iter().map(|field| &field.ident);
    let locals: Vec<_> = fields.iter().map(Field::local).collect();
    let assertions = fields.iter().map(|field| field.assertions(krate));
    let spec = container.spec(
        name,
        &attributes::doc(&input.attrs),
        &quote!(#(#krate::Item::#variants(&#constants)),*),
    );
    let check = container.check.iter();
    Ok(quote! {
        const _: () = {
            #(const #constants: #krate::#types = #items;)*
            #(#assertions)*

            #[automatically_derived]
            // allow-ok: it is generated, and whether they apply is up to the user
            #[allow(deprecated, unused_qualifications)]
            impl #krate::Config for #name {
                const SPEC: #krate::Spec = #spec;

                fn read(reader: &mut #krate::Reader<'_>) -> ::core::option::Option<Self> {
                    #(let #locals = #reads;)*
                    let value = #name { #(#idents: #locals?),* };
                    #(#check(&value, reader);)*
                    ::core::option::Option::Some(value)
                }
            }
        };
    })
}

impl Container {
    fn parse(input: &DeriveInput) -> Result<Container> {
        let mut container = Container {
            prefix: None,
            profile: None,
            unknown: None,
            empty: None,
            check: None,
            krate: parse_quote!(::underpin_config),
        };
        attributes::for_each_key(&input.attrs, |meta, key| {
            match key {
                "prefix" => {
                    let text = attributes::text(meta)?;
                    attributes::check_prefix(&text)?;
                    container.prefix = Some(text);
                }
                "profile" => {
                    let text = attributes::text(meta)?;
                    attributes::check_name(&text, "the variable")?;
                    container.profile = Some(text);
                }
                "unknown" => {
                    let text = attributes::text(meta)?;
                    container.unknown = Some(match text.value().as_str() {
                        "deny" => parse_quote!(Deny),
                        "warn" => parse_quote!(Warn),
                        "allow" => parse_quote!(Allow),
                        _ => {
                            return Err(Error::new(
                                text.span(),
                                "`unknown` is \"deny\", \"warn\" or \"allow\"",
                            ));
                        }
                    });
                }
                "empty" => container.empty = Some(attributes::empty(meta)?),
                "check" => container.check = Some(attributes::path(meta)?),
                "crate" => container.krate = attributes::path(meta)?,
                _ => return Err(attributes::unknown_key(&meta.path, key, &KEYS)),
            }
            Ok(())
        })?;
        Ok(container)
    }

    fn spec(&self, name: &Ident, doc: &str, items: &TokenStream) -> TokenStream {
        let krate = &self.krate;
        let prefix = self.prefix.iter();
        let profile = self.profile.iter();
        let unknown = self.unknown.iter();
        quote! {
            #krate::Spec::new(stringify!(#name), &[#items]).doc(#doc)
                #(.prefix(#prefix))* #(.profile(#profile))* #(.unknown(#krate::Unknown::#unknown))*
        }
    }
}

fn check_names(fields: &[Field], errors: &mut Errors) {
    let mut first: HashMap<String, &Field> = HashMap::new();
    for field in fields {
        for name in field.names() {
            if let Some(other) = first.insert(name.value(), field) {
                errors.add(Error::new(
                    name.span(),
                    format!(
                        "field `{}` reads the same variable `{}` as field `{}`: rename one, or set `var`",
                        field.ident,
                        name.value(),
                        other.ident
                    ),
                ));
            }
        }
    }
}

/// Whether `name` is where `field` would look for its `NAME_FILE`.
fn is_file_of(name: &LitStr, field: &Field) -> bool {
    field.names().iter().any(|own| name.value() == format!("{}_FILE", own.value()))
}
