//! What a user notices, a module per concept.

#[cfg(feature = "axum")]
mod axum;
mod checks;
mod help;
mod liveness;
mod readiness;
mod server;
#[cfg(feature = "tonic")]
mod tonic;
