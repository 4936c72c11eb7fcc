//! What the tests of several crates share. Unpublished, so its only promise is to the tests of this workspace.
//!
//! - [`Child`] and [`run`]: a process that always ends, with all it printed.
//! - [`python`], [`node`], [`program`] and [`or_skip!`]: programs that are not ours, and the honest way to do without one.
//! - [`full_or`]: the counts of a full run, or the tenth that `cargo xtask ci` can afford.
//! - [`orders`]: the reference service, built once.
//! - [`rolling`]: restarts of a service under load by clients that never retry.
//!
//! Everything here panics where a library would return an error: in a test the panic is the report.

mod binary;
#[cfg(unix)]
mod child;
#[cfg(unix)]
pub mod rolling;
mod run_kind;
mod skip;
mod tools;

#[cfg(unix)]
pub use crate::child::{Child, Output, run};
pub use crate::{
    binary::orders,
    run_kind::{full_or, is_ci, is_full},
    skip::Skip,
    tools::{Tool, node, program, python, tools_dir, workspace_root},
};
