//! Tests that need two crates or a program that is not ours. Each module is an area: `cargo xtask integration AREA`.

mod config;
#[cfg(target_os = "linux")]
mod crash;
mod fault;
mod health;
mod lifecycle;
mod lint_pack;
mod orders;
#[cfg(target_os = "linux")]
mod processes;
mod resilience;
