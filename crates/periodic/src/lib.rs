#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod events;
mod outcome;
mod periodic;
mod random;
mod schedule;
mod scheduler;
mod stats;
mod timetable;

pub use crate::{
    outcome::IntoOutcome,
    periodic::{Missed, Overlap, Periodic, every},
    schedule::Schedule,
    scheduler::Tick,
    stats::Stats,
};
