#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod algorithm;
mod all;
mod builder;
mod client_ip;
mod limit;
mod limiter;
mod log;
mod outcome;
mod sync;
mod table;

#[cfg(feature = "tokio")]
mod acquire;
#[cfg(feature = "tower")]
mod headers;
#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "tower")]
pub use crate::tower::{EmptyBody, RateLimitFuture, RateLimitLayer, RateLimitService, Reject};
pub use crate::{
    all::{Charge, check_all, check_all_at},
    builder::Builder,
    client_ip::{ClientIp, IpKey},
    limit::Limit,
    limiter::Limiter,
    outcome::{Denied, Granted, Snapshot, Why},
    table::WhenFull,
};
