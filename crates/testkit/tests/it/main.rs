//! What the test kit promises to the tests that use it.

#[cfg(unix)]
mod child;
#[cfg(unix)]
mod rolling;
mod skip;
mod tools;
