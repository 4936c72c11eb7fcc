#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

#[cfg(not(unix))]
compile_error!(
    "underpin-procx knows processes of Linux and macOS; it has nothing for this platform yet"
);

mod capture;
mod child;
mod cmd;
mod containment;
mod engine;
mod error;
mod limits;
mod lines;
mod output;
mod pipeline;
mod program;
mod pump;
mod redact;
mod runner;
mod stdin;
mod sys;
mod trace;
mod tree;

pub use crate::{
    capture::{Capture, Captured},
    child::Child,
    cmd::{Cmd, cmd},
    containment::{Containment, containment},
    error::{Error, ErrorKind},
    limits::Limits,
    lines::{Event, Lines},
    output::{Exit, Output},
    pipeline::Pipeline,
    runner::{Recording, Reply, Runner, Scripted, System},
    stdin::Stdin,
};
