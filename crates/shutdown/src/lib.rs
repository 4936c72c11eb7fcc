#![cfg_attr(docsrs, feature(doc_cfg))]
// The README's program is an `App`, and must compile wherever it is a doctest.
#![cfg_attr(all(unix, feature = "app"), doc = include_str!("../README.md"))]
#![cfg_attr(not(all(unix, feature = "app")), doc = "Ordered shutdown inside one deadline.")]

mod cleanup;
mod events;
mod outcome;
mod phase;
mod plan;
mod report;
mod sequence;
mod shards;
mod shutdown;
mod stopped;
mod sync;
mod tracker;

#[cfg(all(unix, feature = "app"))]
mod app;
#[cfg(all(unix, feature = "app"))]
mod signals;

#[cfg(feature = "hyper")]
mod serve;
#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "hyper")]
pub use crate::serve::{ConnectionInfo, Serve, serve};
#[cfg(feature = "tower")]
pub use crate::tower::{HttpBody, HttpFuture, HttpLayer, HttpService};
#[cfg(all(unix, feature = "app"))]
pub use crate::{app::App, signals::Signals};
pub use crate::{
    cleanup::{Deferred, Group, StopCx},
    outcome::IntoOutcome,
    phase::{Name, Phase, Reason},
    plan::{Plan, PlanError},
    report::{CleanupOutcome, CleanupReport, MainReport, PhaseReport, Report, TrackerReport},
    shutdown::{Interrupted, Shutdown},
    stopped::Stopped,
    tracker::{Draining, InFlight, Tracker},
};
