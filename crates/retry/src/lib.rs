#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod budget;
mod delays;
mod gave_up;
mod random;
mod retry;
mod run;
mod session;
mod sync;

#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "tower")]
pub use crate::tower::{RetryFuture, RetryLayer, RetryService};
pub use crate::{
    budget::{Budget, Withdrawal},
    delays::{Delays, Jitter},
    gave_up::{GaveUp, Why},
    retry::Retry,
    run::Run,
    session::{Attempt, Verdict},
};
