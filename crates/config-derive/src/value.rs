//! `#[derive(Value)]`.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Data, DataEnum, DeriveInput, Error, Fields, Ident, LitStr, Path, Result, Variant,
    ext::IdentExt as _, parse_quote,
};

use crate::attributes::{self, Errors};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let name = &input.ident;
    let mut krate: Path = parse_quote!(::underpin_config);
    attributes::for_each_key(&input.attrs, |meta, key| match key {
        "crate" => {
            krate = attributes::path(meta)?;
            Ok(())
        }
        _ => Err(attributes::unknown_key(&meta.path, key, &["crate"])),
    })?;
    if !input.generics.params.is_empty() {
        let fix = "remove the parameters, or implement the trait by hand";
        return Err(Error::new_spanned(
            &input.generics,
            format!("`Value` cannot be derived for a generic `{name}`: {fix}"),
        ));
    }
    match &input.data {
        Data::Enum(data) => expand_enum(name, data, &krate),
        Data::Struct(data) => match &data.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                let ty = &fields.unnamed[0].ty;
                Ok(quote! {
                    #[automatically_derived]
                    // allow-ok: it is generated, and whether they apply is up to the user
                    #[allow(deprecated, unused_qualifications)]
                    impl #krate::Value for #name {
                        const FORM: #krate::Form = <#ty as #krate::Value>::FORM;

                        fn parse(text: &::core::primitive::str, rules: &#krate::Rules) -> ::core::result::Result<Self, #krate::Invalid> {
                            <#ty as #krate::Value>::parse(text, rules).map(#name)
                        }
                    }
                })
            }
            _ => {
                let fix = "derive `Config` for a struct of several variables, or wrap one value: struct Name(Type)";
                Err(Error::new_spanned(
                    name,
                    format!("`Value` cannot be derived for `{name}`: {fix}"),
                ))
            }
        },
        Data::Union(_) => Err(Error::new_spanned(
            name,
            format!("`Value` cannot be derived for the union `{name}`: use an enum"),
        )),
    }
}

fn expand_enum(name: &Ident, data: &DataEnum, krate: &Path) -> Result<TokenStream> {
    let mut errors = Errors::default();
    let variants: Vec<(&Ident, LitStr, Vec<LitStr>)> =
        data.variants.iter().filter_map(|variant| errors.keep(parse_variant(variant))).collect();
    if data.variants.is_empty() {
        errors.add(Error::new_spanned(
            name,
            format!("`Value` cannot be derived for `{name}`: it has no variants to name"),
        ));
    }
    let mut first: HashMap<String, &Ident> = HashMap::new();
    for (variant, own, aliases) in &variants {
        for text in std::iter::once(own).chain(aliases) {
            if let Some(other) = first.insert(text.value().to_ascii_lowercase(), variant) {
                let what = format!(
                    "variant `{variant}` has the same name \"{}\" as variant `{other}`: rename one",
                    text.value()
                );
                errors.add(Error::new(text.span(), what));
            }
        }
    }
    errors.finish()?;
    let names = variants.iter().map(|(_, own, _)| own);
    let aliases = variants.iter().flat_map(|(_, _, aliases)| aliases);
    let arms = variants.iter().map(|(variant, own, aliases)| {
        let names = std::iter::once(own).chain(aliases);
        quote! {
            if #(text.eq_ignore_ascii_case(#names))||* {
                return ::core::result::Result::Ok(#name::#variant);
            }
        }
    });
    Ok(quote! {
        #[automatically_derived]
        // allow-ok: it is generated, and whether they apply is up to the user
        #[allow(deprecated, unused_qualifications)]
        impl #krate::Value for #name {
            const FORM: #krate::Form = #krate::Form::choice(&[#(#names),*]).or(&[#(#aliases),*]);

            fn parse(text: &::core::primitive::str, _: &#krate::Rules) -> ::core::result::Result<Self, #krate::Invalid> {
                #(#arms)*
                ::core::result::Result::Err(#krate::Invalid::not_one_of(text, &Self::FORM))
            }
        }
    })
}

/// The variant, its name in the environment, and other names that it goes by.
fn parse_variant(variant: &Variant) -> Result<(&Ident, LitStr, Vec<LitStr>)> {
    let ident = &variant.ident;
    if !matches!(variant.fields, Fields::Unit) {
        let what = format!(
            "variant `{ident}` holds data, which no name in the environment can give: remove the data"
        );
        return Err(Error::new_spanned(&variant.fields, what));
    }
    let mut name = LitStr::new(&kebab_case(&ident.unraw().to_string()), ident.span());
    let mut aliases = Vec::new();
    attributes::for_each_key(&variant.attrs, |meta, key| {
        match key {
            "rename" => name = attributes::text(meta)?,
            "alias" => aliases = attributes::texts(meta)?,
            _ => {
                return Err(attributes::unknown_key(&meta.path, key, &["rename", "alias"]));
            }
        }
        Ok(())
    })?;
    for text in std::iter::once(&name).chain(&aliases) {
        if text.value().is_empty() || text.value().trim() != text.value() {
            return Err(Error::new(
                text.span(),
                format!("variant `{ident}` needs a name without white space around it"),
            ));
        }
    }
    Ok((ident, name, aliases))
}

/// `ReadOnly` becomes `read-only`, `HTTPServer` becomes `http-server`.
fn kebab_case(ident: &str) -> String {
    let chars: Vec<char> = ident.chars().collect();
    let mut out = String::new();
    for (index, &c) in chars.iter().enumerate() {
        let after_lower = index > 0 && !chars[index - 1].is_uppercase();
        let before_lower = chars.get(index + 1).is_some_and(|next| next.is_lowercase());
        if c == '_' {
            out.push('-');
            continue;
        }
        if c.is_uppercase() && index > 0 && (after_lower || before_lower) && !out.ends_with('-') {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}
