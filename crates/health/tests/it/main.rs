//! What a user notices, a module per concept.

#[cfg(feature = "axum")]
mod axum;
mod checks;
#[cfg(feature = "tracing")]
mod events;
mod help;
mod liveness;
mod readiness;
mod server;
#[cfg(feature = "tonic")]
mod tonic;
