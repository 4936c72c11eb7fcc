#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod contained;
mod each;
mod failure;
mod nursery;
mod supervisor;

pub use crate::{
    each::{Each, Guarded, Spawned, each},
    failure::{Failure, Panic, Settled, Split, split},
    nursery::{Nursery, Outcome, Tally},
    supervisor::{Broken, ChildEvent, Restart, Stop, Strategy, Supervisor},
};
