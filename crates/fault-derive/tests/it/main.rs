//! What the derive makes, and what it refuses.

mod compile_fail;
mod derive;
