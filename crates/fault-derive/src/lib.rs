#![doc = include_str!("../README.md")]

mod attributes;
mod expand;
mod message;
mod suggest;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Derives `underpin_fault::Classify` for an enum or a struct that implements `Error`.
///
/// Every variant, or the struct itself, carries one `#[fault(...)]`:
///
/// | key | value | meaning |
/// |---|---|---|
/// | `kind` | a `Kind`, such as `NotFound` | what went wrong; required |
/// | `code` | a string | the stable code: a letter, then letters, digits, `.`, `_` and `-`, at most 64 bytes; required |
/// | `message` | a string | what a client may read; `{field}` and `{0}` show fields |
/// | `status` | 400 to 599 | an HTTP status in place of the kind's own |
/// | `retry` | `Never` or `Backoff` | whether repeating is of use, in place of what the kind says |
/// | `retry_after` | `"250ms"`, `"2s"`, `"5m"`, `"1h"` | when repeating is of use |
/// | `transparent` | | all of the above is that of the only field, which implements `Classify` |
///
/// Anything that is missing, unknown, out of range or used twice is a compile error that names the variant and the fix.
#[proc_macro_derive(Classify, attributes(fault))]
pub fn derive_classify(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::classify(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
