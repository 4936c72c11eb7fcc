//! Behaviour, through the public interface.

mod fault;
mod formats;
mod kind;
mod problem;
mod secrets;

#[cfg(feature = "axum")]
mod axum;
#[cfg(unix)]
mod backtrace;
#[cfg(unix)]
mod child;
#[cfg(any(feature = "serde", feature = "tonic"))]
mod faults;
#[cfg(unix)]
mod panic_hook;
#[cfg(feature = "serde")]
mod problem_reading;
#[cfg(feature = "tonic")]
mod tonic;
