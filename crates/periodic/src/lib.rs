#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

#[cfg(feature = "cron")]
mod cron;
mod events;
mod outcome;
mod periodic;
mod random;
mod schedule;
mod scheduler;
mod stats;
mod timetable;

#[cfg(feature = "cron")]
pub use crate::cron::{CronError, cron};
pub use crate::{
    outcome::IntoOutcome,
    periodic::{Missed, Overlap, Periodic, every},
    schedule::Schedule,
    scheduler::Tick,
    stats::Stats,
};
