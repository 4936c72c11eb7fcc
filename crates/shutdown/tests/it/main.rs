//! Behaviour, through the public interface.

mod cleanup;
mod main_future;
mod phases;
mod plan;
mod report;
mod run_now;
mod schedules;
mod tracker;
mod virtual_time;

#[cfg(all(unix, feature = "app"))]
mod app;
#[cfg(feature = "tracing")]
mod events;
#[cfg(all(unix, feature = "app"))]
mod process;
#[cfg(feature = "hyper")]
mod serve;
#[cfg(feature = "tower")]
mod tower;
