//! Behaviour, through the public interface.

mod each;
#[cfg(feature = "tracing")]
mod events;
mod futurelock;
mod guarded;
mod nursery;
mod settle;
mod spawned;
mod supervisor;
