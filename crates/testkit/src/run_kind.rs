//! Which run this is: a full one, one under continuous integration, or somebody's laptop.

use std::env;

/// Returns `full` in a full run and `tenth` otherwise.
///
/// The counts a requirement names are for `cargo xtask integration --full`; `ci` takes about a tenth of each.
pub fn full_or<T>(full: T, tenth: T) -> T {
    if is_full() { full } else { tenth }
}

/// Says whether all counts are wanted: `cargo xtask integration --full` sets `UNDERPIN_FULL=1`.
pub fn is_full() -> bool {
    env::var_os("UNDERPIN_FULL").is_some_and(|value| value == "1")
}

/// Says whether `CI=true` is set, which makes a missing program a failure.
pub fn is_ci() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true")
}
