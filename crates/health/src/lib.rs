#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod answer;
mod check;
mod component;
mod damper;
mod health;
mod heartbeat;
mod list;
mod record;
mod registry;
mod run;
mod server;
mod snapshot;
mod switch;
mod verdict;

#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "tonic")]
mod tonic;

#[cfg(feature = "tonic")]
pub use crate::tonic::{GrpcHealth, Watch};
pub use crate::{
    answer::{Answer, Detail},
    check::CheckBuilder,
    component::Weight,
    health::Health,
    heartbeat::Heartbeat,
    record::State,
    server::{Server, serve},
    snapshot::{Part, Snapshot},
    switch::Switch,
    verdict::{Probe, Verdict},
};
