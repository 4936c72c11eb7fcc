#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod breaker;
mod builder;
mod call;
mod change;
mod circuit;
mod keyed;
mod permit;
mod rejected;
mod ring;
mod rules;
mod sync;
mod words;

#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "tower")]
pub use crate::tower::{BreakerFuture, BreakerLayer, BreakerService};
pub use crate::{
    breaker::{Breaker, Isolation, Snapshot, State},
    builder::{Builder, Trip},
    call::{Call, Classify, Unclassified},
    change::Change,
    keyed::Breakers,
    permit::{Outcome, OwnedPermit, Permit, Recorded},
    rejected::{Error, Rejected},
};
