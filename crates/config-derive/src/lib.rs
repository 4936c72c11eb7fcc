#![doc = include_str!("../README.md")]

mod attributes;
mod config;
mod field;
mod value;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// Implements `underpin_config::Config` for a struct with named fields; its attributes are described in `underpin-config`.
#[proc_macro_derive(Config, attributes(config))]
pub fn derive_config(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    config::expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

/// Implements `underpin_config::Value` for an enum of names or a newtype.
#[proc_macro_derive(Value, attributes(config))]
pub fn derive_value(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    value::expand(&input).unwrap_or_else(Error::into_compile_error).into()
}
