//! What the test kit promises to the tests that use it.

#[cfg(unix)]
mod child;
mod skip;
mod tools;
