#![cfg_attr(docsrs, feature(doc_cfg))]
// The README's program derives, and must compile wherever it is a doctest.
#![cfg_attr(feature = "derive", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "derive"),
    doc = "Errors with a kind, a stable code, an HTTP and a gRPC status."
)]

mod bug;
mod classify;
mod fault;
mod json;
mod kind;
mod panic_hook;
mod problem;
mod result_ext;
mod text;

#[cfg(feature = "axum")]
mod axum;
#[cfg(any(feature = "serde", feature = "tonic"))]
mod remote;
#[cfg(feature = "tonic")]
mod tonic;

#[cfg(feature = "derive")]
pub use underpin_fault_derive::Classify;

pub use crate::{
    bug::bugs,
    classify::Classify,
    fault::Fault,
    kind::{Kind, Retry},
    panic_hook::{Panic, PanicHook, panics},
    problem::Problem,
    result_ext::ResultExt,
};
